"""Server-Sent Events, as the HTML standard parses them, from bytes in pieces of any size."""

from __future__ import annotations

import codecs
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """What ends at an empty line of the stream."""

    cursor: str | None
    """The id in force; `None` if the stream has named none yet."""
    data: str | None
    """The data of an event; `None` for a block that only moves the cursor, such as a heartbeat."""


class EventStreamParser:
    """Parses a stream.

        parser = EventStreamParser()
        for piece in pieces:
            for block in parser.feed(piece): ...
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._unfinished: list[str] = []
        self._after_return = False
        self._at_start = True
        self._cursor: str | None = None
        self._data: list[str] = []
        self._has_id = False
        self.retry: float | None = None
        """After how many seconds the server wants a lost stream to be opened again; `None` if it did not say."""

    def feed(self, piece: bytes) -> list[Block]:
        """Takes the next bytes, and returns the blocks that end in them."""
        text = self._decoder.decode(piece)
        if self._at_start and text:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        # The line feed of a CRLF pair may be in another piece than the carriage return.
        if self._after_return and text:
            self._after_return = False
            text = text.removeprefix("\n")
        if text.endswith("\r"):
            self._after_return = True
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._unfinished.append(lines[0])
        blocks = []
        if len(lines) > 1:
            lines[0] = "".join(self._unfinished)
            self._unfinished = [lines.pop()]
            for line in lines:
                block = self._line(line)
                if block is not None:
                    blocks.append(block)
        return blocks

    def _line(self, line: str) -> Block | None:
        if not line:
            return self._end_of_block()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._cursor = value
            self._has_id = True
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value) / 1_000
        return None

    def _end_of_block(self) -> Block | None:
        data = "\n".join(self._data) if self._data else None
        says_something = data is not None or self._has_id
        self._data, self._has_id = [], False
        return Block(self._cursor, data) if says_something else None
