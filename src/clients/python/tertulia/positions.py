"""Loads and saves cursors of both kinds."""

from __future__ import annotations

import inspect

from .cursors import AsyncCursor, Cursor


async def load(cursor: Cursor | AsyncCursor) -> str | None:
    """Returns the saved position."""
    position = cursor.load()
    if isinstance(position, str) or position is None:
        return position
    return await position


async def save(cursor: Cursor | AsyncCursor, position: str) -> None:
    """Saves a position."""
    saving = cursor.save(position)
    if inspect.isawaitable(saving):
        await saving
