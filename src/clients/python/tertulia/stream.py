"""Follows the event stream of the gateway over lost connections."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import httpx

from . import retries
from .errors import NoAnswerError, ProblemError
from .event_stream import Block, EventStreamParser
from .gateway import Gateway
from .request import Request

SILENCE = 40.0
"""Without a byte for so many seconds, the stream is opened again. The gateway sends something every 15 seconds."""

log = logging.getLogger("tertulia")


class EventStream:
    """The blocks of the stream after a position. Each block is yielded once, also if the connection is lost."""

    def __init__(
        self, gateway: Gateway, filters: tuple[tuple[str, str], ...], after: str, *, give_up_after: float | None
    ) -> None:
        self._gateway = gateway
        self._filters = filters
        self._after = after
        self._give_up_after = give_up_after
        self._retry: float | None = None
        self._attempt = 0
        self._lost_at = time.monotonic()

    async def blocks(self) -> AsyncIterator[Block]:
        """Yields blocks, without an end.

        Raises `ProblemError` if the service refuses the stream, for example for its token, and `NoAnswerError` if there
        was no stream for `give_up_after` seconds.
        """
        while True:
            wait: float | None = None
            reason = "it ended"
            try:
                async for block in self._connection():
                    yield block
            except httpx.RequestError as failure:
                reason = str(failure) or type(failure).__name__
            except ProblemError as problem:
                if not problem.is_transient:
                    raise
                reason, wait = str(problem), problem.retry_after
            if self._attempt == 0:
                self._lost_at = time.monotonic()
            self._attempt += 1
            wait = retries.retry_wait(self._attempt, wait, self._retry)
            lost_for = time.monotonic() + wait - self._lost_at
            if self._give_up_after is not None and lost_for > self._give_up_after:
                raise NoAnswerError(f"no event stream for {self._give_up_after:g} s: {reason}")
            log.warning("the event stream is lost (%s); opening it again in %.1f s", reason, wait)
            await asyncio.sleep(wait)

    async def _connection(self) -> AsyncIterator[Block]:
        headers = (("accept", "text/event-stream"), ("cache-control", "no-store"), ("last-event-id", self._after))
        request = Request("GET", "/v1/events", self._filters, headers=headers)
        async with self._gateway.stream(request, silence=SILENCE) as answer:
            parser = EventStreamParser()
            async for piece in answer.aiter_raw():
                for block in parser.feed(piece):
                    self._attempt = 0
                    self._retry = parser.retry
                    if block.cursor is not None:
                        self._after = block.cursor
                    yield block
