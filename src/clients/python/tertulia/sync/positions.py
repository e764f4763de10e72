"""Loads and saves cursors."""

from __future__ import annotations

from ..cursors import Cursor


def load(cursor: Cursor) -> str | None:
    """Returns the saved position."""
    return cursor.load()


def save(cursor: Cursor, position: str) -> None:
    """Saves a position."""
    cursor.save(position)
