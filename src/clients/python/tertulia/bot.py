"""Runs a handler for each event: in order within a conversation, at the same time across conversations."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypedDict

from . import positions
from .cursors import AsyncCursor, Cursor, MemoryCursor
from .errors import NoAnswerError, PlatformRejectedError, ProblemError, TertuliaError
from .event import Event, parse_event
from .gateway import Gateway
from .keys import check_reader
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
"""What happens when a handler failed for good. It may be asynchronous, and may raise."""


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
    name: str | None
    """Put before the keys of the bot's commands: 1 to 16 characters. Two bots that answer the same events of a connection
    need different names."""
    at_once: int
    """How many events are handled at the same time; 16 by default."""
    read_ahead: int
    """How many events may be unfinished, or wait for one that is; 1,000 by default. Then the bot reads no more."""
    attempts: int
    """How often the handler runs for an event before an exception of its own is final; 5 by default."""
    handler_deadline: float
    """How many seconds one run of the handler may take; 300 by default."""
    patience: float
    """How many seconds an event may take with all runs of the handler and the waits between; 600 by default. While the
    service gives no answer at all, there is no limit."""
    grace: float
    """How many seconds running handlers have when the bot is stopped; 10 by default."""
    on_error: ErrorHandler | None
    """What happens when the handler failed for good; by default the error is raised. Without an error, the event is finished.

    The bot goes on with a warning if the conversation does not take the command any more, for example because its consumer
    has closed it. Any other error ends the bot, which gets the event again after its next start."""


class Bot:
    """Handles events until it is stopped. Made by `Tertulia.bot`.

    The events of a conversation are handled one after the other. The saved cursor never passes an event that is not
    finished, and the commands of `event.reply` and `event.conversation` have keys that are derived from the event. A bot
    that is killed at any moment and started again with its cursor therefore loses no event, and repeats no command.

    If the handler raises, it runs again for the event after a wait, while other conversations go on: without a limit
    while the service gives no answer, until `patience` is over if the service is overloaded, `attempts` times for any
    other exception, and not at all if the service refused a command. Then `on_error` is called.
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
        self._slots = asyncio.Semaphore(at_least_one("at_once", options.get("at_once", 16)))
        self._read_ahead = at_least_one("read_ahead", options.get("read_ahead", 1_000))
        self._attempts = at_least_one("attempts", options.get("attempts", 5))
        self._reader = check_reader(options.get("name"))
        self._patience = options.get("patience", 600.0)
        self._handler_deadline = options.get("handler_deadline", 300.0)
        self._grace = options.get("grace", 10.0)
        self._on_error = options.get("on_error") or end
        self._progress = Progress()
        self._saved: str | None = None
        self._moved = asyncio.Event()
        self._room = asyncio.Event()
        self._following = asyncio.Event()
        self._stopping = asyncio.Event()
        self._has_begun = False
        self._failure: Exception | None = None
        self._lanes: dict[str, deque[tuple[str, Ticket]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Handles events until `stop` is called.

        Raises `ProblemError` if the service refuses the stream, and what `on_error` or the cursor raises. A bot runs only
        once.
        """
        if self._has_begun:
            raise TertuliaError("a bot runs only once: make another one")
        self._has_begun = True
        try:
            await self._run()
        finally:
            self._following.set()

    async def _run(self) -> None:
        position = await positions.load(self._cursor)
        self._saved = position
        reading = asyncio.create_task(self._read(position or self._start))
        loops = [reading, asyncio.create_task(self._save()), asyncio.create_task(self._await_stop())]
        try:
            ended, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()
            reading.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._grace)
            for loop in ended:
                loop.result()
            if self._failure is not None:
                raise self._failure
        finally:
            self._stopping.set()
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
                log.warning("the log does not have the position of this bot; events before %s may be missing", event.id)
            while self._progress.size >= self._read_ahead:
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
        run, failures = 0, 0
        ends_at = time.monotonic() + self._patience
        while True:
            run += 1
            # Another event object, so that the keys are counted from the beginning.
            event = parse_event(self._gateway, data, self._reader)
            try:
                async with self._slots:
                    if self._stopping.is_set():
                        return False
                    await asyncio.wait_for(self._run_handler(event), self._handler_deadline)
                return True
            except Exception as error:
                wait = wait_before(run)
                failures += not (is_busy(error) or isinstance(error, NoAnswerError))
                has_time = time.monotonic() + wait < ends_at
                if not runs_again(error, has_attempts=failures < self._attempts, has_time=has_time):
                    await self._give_up(event, error)
                    return True
                log.warning("the handler of event %s failed (%s); running it again in %.1f s", event.id, in_words(error), wait)
            try:
                await asyncio.wait_for(self._stopping.wait(), wait)
                return False
            except (TimeoutError, asyncio.TimeoutError):
                pass

    async def _run_handler(self, event: Event) -> None:
        await self._handler(event)

    async def _give_up(self, event: Event, error: Exception) -> None:
        try:
            answered = self._on_error(event, error)
            if inspect.isawaitable(answered):
                await answered
        except Exception as failure:
            # For example, a conversation that its consumer has closed cannot be transferred either.
            end_unless_moot(event, failure)

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
    """Returns the value of an option. Raises `ValueError` if it is less than 1."""
    if value < 1:
        raise ValueError(f"{option} is {value}, and must be at least 1")
    return value


def in_words(error: Exception) -> str:
    """Names an error without the text of messages that it may have."""
    return str(error) if isinstance(error, TertuliaError) else type(error).__name__


def is_busy(error: Exception) -> bool:
    """Whether the service or the connection can carry out nothing at present."""
    return isinstance(error, ProblemError) and error.status in (429, 503) and error.is_transient


def runs_again(error: Exception, *, has_attempts: bool, has_time: bool) -> bool:
    """Whether a handler that raised `error` runs again for the event."""
    if isinstance(error, NoAnswerError):
        return True
    if isinstance(error, TertuliaError) and not error.is_transient:
        return False
    return has_time and has_attempts


def end(event: Event, error: Exception) -> None:
    """Raises the error."""
    raise error


def end_unless_moot(event: Event, error: Exception) -> None:
    """Warns of an event whose conversation takes no such command any more, and raises every other error."""
    is_moot = isinstance(error, PlatformRejectedError)
    if isinstance(error, ProblemError) and error.status in (404, 409):
        is_moot = True
    if not is_moot:
        raise error
    log.warning("event %s of conversation %s was given up: %s", event.id, event.conversation_id, error)
