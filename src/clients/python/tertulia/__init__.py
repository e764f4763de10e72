"""A client of Tertulia, the connector backend for LivePerson messaging.

    from tertulia import Event, FileCursor, run_bot

    async def answer(event: Event) -> None:
        if event.consumer_text is not None:
            await event.reply(f"You said: {event.consumer_text}")

    run_bot(answer, connection="bots-1", cursor=FileCursor("bot.cursor"))

`tertulia.sync` has the same client without asyncio, `tertulia.models` the types of the data, and `tertulia.testing` a
platform and a service for tests.
"""

from . import models
from .administration import BulkJob, DeadLetter, Node, Ring, Webhook
from .bot import Bot, BotOptions, ErrorHandler, Handler
from .client import Tertulia
from .connection import Connection
from .conversation import Conversation
from .cursors import AsyncCursor, Cursor, FileCursor, MemoryCursor
from .errors import (
    BadRequestError,
    ConflictError,
    CursorError,
    KeyReusedError,
    NoAnswerError,
    NotFoundError,
    NotPermittedError,
    OutcomeUnknownError,
    PlatformRejectedError,
    ProblemError,
    TertuliaError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)
from .event import Event
from .platform_service import PlatformAnswer, PlatformService
from .run_bot import run_bot
from .sync import Tertulia as SyncTertulia
from .version import VERSION as __version__

__all__ = [
    "AsyncCursor",
    "BadRequestError",
    "Bot",
    "BotOptions",
    "BulkJob",
    "ConflictError",
    "Connection",
    "Conversation",
    "Cursor",
    "CursorError",
    "DeadLetter",
    "ErrorHandler",
    "Event",
    "FileCursor",
    "Handler",
    "KeyReusedError",
    "MemoryCursor",
    "NoAnswerError",
    "Node",
    "NotFoundError",
    "NotPermittedError",
    "OutcomeUnknownError",
    "PlatformAnswer",
    "PlatformRejectedError",
    "PlatformService",
    "ProblemError",
    "Ring",
    "SyncTertulia",
    "Tertulia",
    "TertuliaError",
    "TooManyRequestsError",
    "UnauthenticatedError",
    "UnavailableError",
    "Webhook",
    "__version__",
    "models",
    "run_bot",
]
