"""Where a reader of events keeps its position."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Awaitable
from typing import Protocol

from .errors import CursorError

# What a saved position can be: the id of an event, or an end of the log.
_POSITION = re.compile(r"[!-~]+-[0-9]+|earliest|latest")


class Cursor(Protocol):
    """A position in the event log that is kept somewhere, for example in a row of a database.

    `save` replaces the position atomically: after a crash, `load` returns the old one or the new one.
    """

    def load(self) -> str | None:
        """Returns the saved cursor; `None` before the first one."""
        ...

    def save(self, cursor: str) -> None:
        """Saves the cursor."""
        ...


class AsyncCursor(Protocol):
    """As `Cursor`, for code that awaits."""

    def load(self) -> Awaitable[str | None]:
        """Returns the saved cursor; `None` before the first one."""
        ...

    def save(self, cursor: str) -> Awaitable[None]:
        """Saves the cursor."""
        ...


class MemoryCursor:
    """A cursor that ends with the process.

        cursor = MemoryCursor()
        async for event in tertulia.events(cursor=cursor): ...
    """

    def __init__(self, cursor: str | None = None) -> None:
        self._cursor = cursor

    def load(self) -> str | None:
        """Returns the cursor; `None` before the first one."""
        return self._cursor

    def save(self, cursor: str) -> None:
        """Keeps the cursor."""
        self._cursor = cursor


class FileCursor:
    """A cursor in a file, which another file replaces atomically and durably. One reader uses a file at a time.

        cursor = FileCursor("bot.cursor")
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = pathlib.Path(path)

    def load(self) -> str | None:
        """Returns the cursor; `None` if the file does not exist.

        Raises `CursorError` if the file cannot be read or is damaged.
        """
        try:
            cursor = self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeError) as error:
            raise CursorError(f"cannot read the cursor in {self._path}: {error}") from error
        if not _POSITION.fullmatch(cursor):
            # With another position, the reader would begin with the next event and miss others.
            raise CursorError(f"{self._path} has no cursor in it; delete the file to begin with the next event")
        return cursor

    def save(self, cursor: str) -> None:
        """Writes the cursor.

        Raises `CursorError` if the file cannot be written.
        """
        try:
            self._replace(cursor)
        except OSError as error:
            raise CursorError(f"cannot write the cursor in {self._path}: {error}") from error

    def _replace(self, cursor: str) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}-", dir=self._path.parent)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(f"{cursor}\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
