"""Idempotency keys: the service acts once for each key and body, for a day."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Protocol


class Keys(Protocol):
    """Makes a key for each command."""

    is_derived: bool
    """Whether a command that is given again has the same key."""

    def next(self, operation: str) -> str:
        """Returns the key of the next command of this kind: 1 to 64 printable ASCII characters."""


class RandomKeys:
    """A new key for each command, which is the same in all repetitions of the call."""

    is_derived = False

    def next(self, operation: str) -> str:
        """Returns a random key."""
        return uuid.uuid4().hex


class DerivedKeys:
    """Keys that follow from an event: `<event id>/1`, `<event id>/2` for messages, `<event id>/close/1` for others.

    Commands are counted by kind. A handler that runs again for the same event gives its first message the same key as
    the first time.
    """

    is_derived = True

    def __init__(self, event: str) -> None:
        self._event = event
        self._counts: Counter[str] = Counter()

    def next(self, operation: str) -> str:
        """Returns the key of the next command of this kind."""
        self._counts[operation] += 1
        number = self._counts[operation]
        return f"{self._event}/{number}" if operation == "messages" else f"{self._event}/{operation}/{number}"
