"""Runs a handler for each event: in order within a conversation, at the same time across conversations."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypedDict

from . import positions
from .cursors import AsyncCursor, Cursor, MemoryCursor
from .errors import TertuliaError
from .event import Event, parse_event
from .gateway import Gateway
from .progress import Progress, Ticket
from .request import query
from .retries import wait_before
from .stream import EventStream

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack

SAVE_EVERY = 0.05
"""Seconds between two saves of the cursor."""

log = logging.getLogger("tertulia")

Handler = Callable[[Event], Awaitable[object]]
"""What a bot does with an event."""

ErrorHandler = Callable[[Event, Exception], object]
"""What happens when a handler failed for good. It may be asynchronous. An error in it stops the bot."""


class BotOptions(TypedDict, total=False):
    """The options of a bot."""

    connection: str | Sequence[str] | None
    """Only events of these connections; of all by default."""
    conversation: str | Sequence[str] | None
    """Only events of these conversations; of all by default."""
    type: str | Sequence[str] | None
    """Only events of these types, short (`message`) or full (`tertulia.message`); `message` by default."""
    cursor: Cursor | AsyncCursor | None
    """Where the bot keeps its position. Without it, a new process begins at `start`."""
    start: str
    """Where a bot without a position begins: `latest` (the default), `earliest`, or the id of an event."""
    at_once: int
    """How many events are handled at the same time; 32 by default."""
    read_ahead: int
    """How many events may be unfinished; 1,000 by default. The bot then waits before it reads more."""
    attempts: int
    """How often the handler runs for an event before an exception of its own counts as final; 5 by default."""
    handler_deadline: float
    """How many seconds one run of the handler may take; 300 by default."""
    grace: float
    """How many seconds running handlers have when the bot is stopped; 10 by default."""
    on_error: ErrorHandler | None
    """What happens when the handler failed for good; by default the error is logged. The event is finished then."""


class Bot:
    """Handles events until it is stopped. Made by `Tertulia.bot`.

    The events of a conversation are handled one after the other. The saved cursor never passes an event that is not
    finished, and the commands of `event.reply` and `event.conversation` have keys that are derived from the event. A bot
    that is killed at any moment and started again with its cursor therefore loses no event, and repeats no command.

    If the handler raises, it runs again for the event after a wait, while other conversations go on: without a limit if
    the service is to blame (`TertuliaError.is_transient`), `attempts` times for any other exception, and not at all if
    the service refused. Then `on_error` is called, and the event is finished.
    """

    def __init__(self, gateway: Gateway, handler: Handler, **options: Unpack[BotOptions]) -> None:
        self._gateway = gateway
        self._handler = handler
        self._filters = query(
            connection=options.get("connection"),
            conversation=options.get("conversation"),
            type=options.get("type", "message"),
        )
        cursor = options.get("cursor")
        self._cursor: Cursor | AsyncCursor = MemoryCursor() if cursor is None else cursor
        self._start = options.get("start", "latest")
        self._slots = asyncio.Semaphore(at_least_one("at_once", options.get("at_once", 32)))
        self._read_ahead = at_least_one("read_ahead", options.get("read_ahead", 1_000))
        self._attempts = at_least_one("attempts", options.get("attempts", 5))
        self._handler_deadline = options.get("handler_deadline", 300.0)
        self._grace = options.get("grace", 10.0)
        self._on_error = options.get("on_error") or log_error
        self._progress = Progress()
        self._saved: str | None = None
        self._moved = asyncio.Event()
        self._room = asyncio.Event()
        self._following = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failure: Exception | None = None
        self._lanes: dict[str, deque[tuple[str, Ticket]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Handles events until `stop` is called.

        Raises `ProblemError` if the service refuses the stream, and what `on_error` or the cursor raises.
        """
        position = await positions.load(self._cursor)
        self._saved = position
        reading = asyncio.create_task(self._read(position or self._start))
        loops = [reading, asyncio.create_task(self._save()), asyncio.create_task(self._await_stop())]
        try:
            ended, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()
            reading.cancel()
            if self._tasks and self._failure is None:
                await asyncio.wait(self._tasks, timeout=self._grace)
            for loop in ended:
                loop.result()
            if self._failure is not None:
                raise self._failure
        finally:
            self._stopping.set()
            self._following.set()
            for task in [*loops, *self._tasks]:
                task.cancel()
            await asyncio.gather(*loops, *self._tasks, return_exceptions=True)
            await self._save_now()

    def stop(self) -> None:
        """Lets `run` return after the handlers that run now. The events that wait are handled after the next start."""
        self._stopping.set()

    async def ready(self) -> None:
        """Waits until the bot follows the stream, so that it sees whatever happens from now on, or until `run` has ended.
        """
        await self._following.wait()

    async def _await_stop(self) -> None:
        await self._stopping.wait()

    async def _read(self, after: str) -> None:
        stream = EventStream(self._gateway, self._filters, after, give_up_after=None)
        async for block in stream.blocks():
            self._following.set()
            if block.data is None:
                if block.cursor is not None:
                    self._progress.move(block.cursor)
                    self._moved.set()
                continue
            event = parse_event(self._gateway, block.data)
            if event.gap is not None and "missed" in event.gap:
                log.warning("the log no longer has the events before event %s", event.id)
            while self._progress.unfinished >= self._read_ahead:
                self._room.clear()
                await self._room.wait()
            ticket = self._progress.begin(event.id)
            name = event.conversation_id or f"connection {event.connection}"
            lane = self._lanes.get(name)
            if lane is not None:
                lane.append((block.data, ticket))
                continue
            self._lanes[name] = deque([(block.data, ticket)])
            task = asyncio.create_task(self._follow(name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _follow(self, name: str) -> None:
        """Handles the events of one conversation until none waits."""
        lane = self._lanes[name]
        try:
            while lane and not self._stopping.is_set():
                data, ticket = lane[0]
                if not await self._handle(data):
                    return
                lane.popleft()
                self._progress.finish(ticket)
                self._moved.set()
                self._room.set()
        except Exception as error:
            self._failure = self._failure or error
            self._stopping.set()
        finally:
            del self._lanes[name]

    async def _handle(self, data: str) -> bool:
        """Handles an event. Returns whether the event is finished; it is not if the bot is stopped before."""
        run = 0
        while True:
            run += 1
            # Another event object, so that the keys are counted from the beginning.
            event = parse_event(self._gateway, data)
            try:
                async with self._slots:
                    if self._stopping.is_set():
                        return False
                    await asyncio.wait_for(self._run_handler(event), self._handler_deadline)
                return True
            except Exception as error:
                if not self._runs_again(error, run):
                    answered = self._on_error(event, error)
                    if inspect.isawaitable(answered):
                        await answered
                    return True
                wait = wait_before(run)
                log.warning("the handler of event %s failed (%s); running it again in %.1f s", event.id, name(error), wait)
            try:
                await asyncio.wait_for(self._stopping.wait(), wait)
                return False
            except (TimeoutError, asyncio.TimeoutError):
                pass

    async def _run_handler(self, event: Event) -> None:
        await self._handler(event)

    def _runs_again(self, error: Exception, run: int) -> bool:
        return error.is_transient if isinstance(error, TertuliaError) else run < self._attempts

    async def _save(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._save_now()
            await asyncio.sleep(SAVE_EVERY)

    async def _save_now(self) -> None:
        position = self._progress.position
        if position is not None and position != self._saved:
            await positions.save(self._cursor, position)
            self._saved = position


def at_least_one(option: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{option} is {value}, and must be at least 1")
    return value


def name(error: Exception) -> str:
    """Names an error without the text of messages that it may have."""
    return str(error) if isinstance(error, TertuliaError) else type(error).__name__


def log_error(event: Event, error: Exception) -> None:
    """Logs that an event could not be handled."""
    log.error("event %s of conversation %s was not handled", event.id, event.conversation_id, exc_info=error)
