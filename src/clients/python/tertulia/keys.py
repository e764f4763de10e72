"""Idempotency keys: the service acts once for each key and body, for a day."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Protocol

LONGEST_READER = 16
"""The most characters of a reader's name, so that the longest key of a command has at most 64."""


class Keys(Protocol):
    """Makes a key for each command."""

    is_derived: bool
    """Whether a command that is given again has the same key."""

    def next(self, operation: str) -> str:
        """Returns the key of the next command of this kind: 1 to 64 printable ASCII characters."""
        ...


def check_reader(name: str | None) -> str | None:
    """Returns the name of a reader.

    Raises `ValueError` if it does not fit into a key beside the id of an event.
    """
    if name is None or (1 <= len(name) <= LONGEST_READER and name.isascii() and name.isprintable() and " " not in name):
        return name
    raise ValueError(f"{name!r} is not a name of 1 to {LONGEST_READER} printable ASCII characters")


class RandomKeys:
    """A new key for each command, which is the same in all repetitions of the call."""

    is_derived = False

    def next(self, operation: str) -> str:
        """Returns a random key."""
        return uuid.uuid4().hex


class DerivedKeys:
    """Keys that follow from an event: `<event id>/0`, `<event id>/1` for messages, `<event id>/close/0` for others.

    Commands are counted by kind. A handler that runs again for the same event gives its first message the same key as
    the first time. `reader` is put before the id, so that two readers of the same event have different keys.
    """

    is_derived = True

    def __init__(self, event: str, reader: str | None = None) -> None:
        self._event = event if reader is None else f"{reader}/{event}"
        self._counts: Counter[str] = Counter()

    def next(self, operation: str) -> str:
        """Returns the key of the next command of this kind."""
        number = self._counts[operation]
        self._counts[operation] += 1
        return f"{self._event}/{number}" if operation == "messages" else f"{self._event}/{operation}/{number}"
