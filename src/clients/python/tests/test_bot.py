"""A bot in front of a mock service: order, limits, failures, and the cursor."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import tertulia
from tertulia import Event, MemoryCursor, retries
from tertulia.bot import runs_again

WITHIN = 10


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.001)


class Stream(httpx.AsyncByteStream):
    """An event stream that has some blocks and then pauses."""

    def __init__(self, blocks: list[str]) -> None:
        self.blocks = blocks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self.blocks:
            yield block.encode()
        await asyncio.sleep(3600)


class Service:
    """A service with a log of events, which notes the commands that it gets."""

    def __init__(self, *blocks: str) -> None:
        self.blocks = list(blocks)
        self.after: list[str] = []
        self.sent: list[tuple[str, str, str]] = []
        self.answer: Callable[[str, str], httpx.Response] = lambda key, text: httpx.Response(200, json={"sequence": 1})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/events":
            self.after.append(request.headers["last-event-id"])
            return httpx.Response(200, stream=Stream(self.blocks))
        key, text = request.headers["idempotency-key"], json.loads(request.read()).get("text", "")
        self.sent.append((request.url.path.split("/")[3], key, text))
        return self.answer(key, text)

    def client(self) -> tertulia.Tertulia:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return tertulia.Tertulia("http://service", http=http, deadline=1)


def message(number: int, conversation: str, text: str = "hello") -> str:
    data = {"dialogId": conversation, "sequence": number, "role": "CONSUMER", "messageAudience": "ALL", "body": text}
    event = {"specversion": "1.0", "id": f"a-{number}", "source": "/", "subject": conversation, "connection": "b",
             "type": "tertulia.message", "time": "", "sequence": "1", "data": data}  # fmt: skip
    return f"id: a-{number}\ndata: {json.dumps(event)}\n\n"


def heartbeat(number: int) -> str:
    return f"id: a-{number}\n: heartbeat\n\n"


async def run_until(bot: tertulia.Bot, condition: Callable[[], bool]) -> None:
    """Runs a bot until a condition holds, and stops it."""
    running = asyncio.create_task(bot.run())
    try:
        while not condition() and not running.done():
            await asyncio.sleep(0.001)
        bot.stop()
        await running
    finally:
        running.cancel()


def run(
    service: Service, handler: Callable[[Event], Awaitable[None]], condition: Callable[[], bool], **options: Any
) -> None:
    async def main() -> None:
        async with service.client() as client:
            await run_until(client.bot(handler, **options), condition)

    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_a_conversation_is_handled_in_order_and_others_at_the_same_time() -> None:
    service = Service(*(message(number, "ab"[number % 2]) for number in range(6)))
    begun: list[str] = []
    together = asyncio.Event()

    async def handler(event: Event) -> None:
        begun.append(event.id)
        if len(begun) == 2:
            together.set()
        await together.wait()
        await event.reply(event.id)

    run(service, handler, lambda: len(service.sent) == 6)
    assert begun[:2] == ["a-0", "a-1"]
    for conversation, ids in (("a", ["a-0", "a-2", "a-4"]), ("b", ["a-1", "a-3", "a-5"])):
        assert [text for where, _, text in service.sent if where == conversation] == ids


def test_no_more_handlers_run_at_once_than_allowed() -> None:
    service = Service(*(message(number, str(number)) for number in range(30)))
    now, most = 0, 0

    async def handler(event: Event) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        await event.reply("x")
        now -= 1

    run(service, handler, lambda: len(service.sent) == 30, at_once=3)
    assert most == 3


def test_the_bot_does_not_read_further_ahead_than_allowed() -> None:
    service = Service(*(message(number, str(number)) for number in range(10)))
    begun: list[str] = []
    go = asyncio.Event()

    async def handler(event: Event) -> None:
        begun.append(event.id)
        await go.wait()

    async def main() -> None:
        async with service.client() as client:
            bot = client.bot(handler, read_ahead=4)
            running = asyncio.create_task(bot.run())
            while len(begun) < 4:
                await asyncio.sleep(0)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(begun) == 4
            go.set()
            while len(begun) < 10:
                await asyncio.sleep(0)
            bot.stop()
            await running

    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_the_cursor_never_passes_an_event_that_is_not_finished() -> None:
    service = Service(heartbeat(0), *(message(number, str(number)) for number in range(1, 5)), heartbeat(9))
    cursor = MemoryCursor()
    finished: list[str] = []

    async def handler(event: Event) -> None:
        if event.id == "a-2":
            await asyncio.sleep(3600)
        finished.append(event.id)

    # The bot is stopped while one handler runs, and may not wait for it.
    run(service, handler, lambda: len(finished) == 3, cursor=cursor, grace=0.01)
    assert cursor.load() == "a-1"

    async def quick(event: Event) -> None:
        finished.append(event.id)

    run(service, quick, lambda: cursor.load() == "a-9", cursor=cursor)
    assert service.after == ["latest", "a-1"]


def test_the_first_position_is_saved_before_the_first_event() -> None:
    service, cursor = Service(heartbeat(7)), MemoryCursor()
    run(service, never, lambda: cursor.load() == "a-7", cursor=cursor)


async def never(event: Event) -> None:
    raise AssertionError("no event was sent")


def test_a_stopped_bot_finishes_what_runs_and_leaves_what_waits() -> None:
    service = Service(message(1, "a"), message(2, "a"), message(3, "b"))
    cursor = MemoryCursor()
    begun: list[str] = []

    async def main() -> None:
        is_stopped = asyncio.Event()

        async def handler(event: Event) -> None:
            begun.append(event.id)
            await is_stopped.wait()
            await event.reply("done")

        async with service.client() as client:
            bot = client.bot(handler, cursor=cursor)
            running = asyncio.create_task(bot.run())
            while len(begun) < 2:
                await asyncio.sleep(0)
            bot.stop()
            is_stopped.set()
            await running

    asyncio.run(asyncio.wait_for(main(), WITHIN))
    assert sorted(key for _, key, _ in service.sent) == ["a-1/0", "a-3/0"]
    assert cursor.load() == "a-1"


def test_a_handler_that_runs_again_gives_the_same_keys() -> None:
    service = Service(message(1, "a"))
    runs = 0

    async def handler(event: Event) -> None:
        nonlocal runs
        runs += 1
        await event.reply("one")
        if runs < 3:
            raise RuntimeError("a fault of the handler")
        await event.reply("two")
        await event.conversation.close()

    run(service, handler, lambda: runs == 3 and len(service.sent) == 5)
    assert [key for _, key, _ in service.sent] == ["a-1/0", "a-1/0", "a-1/0", "a-1/1", "a-1/close/0"]


def test_another_text_for_a_message_that_was_sent_is_not_sent() -> None:
    service = Service(message(1, "a"))
    kept: dict[str, str] = {}
    replies: list[tertulia.models.PublishedMessage] = []

    def once(key: str, text: str) -> httpx.Response:
        if kept.setdefault(key, text) == text:
            return httpx.Response(200, json={"sequence": 1})
        return httpx.Response(422, json={"code": "key-reused", "detail": "used with another body"})

    service.answer = once

    async def handler(event: Event) -> None:
        replies.append(await event.reply(f"worded differently {len(replies)}"))
        if len(replies) < 2:
            raise RuntimeError("a fault of the handler")

    run(service, handler, lambda: len(replies) == 2)
    assert replies == [{"sequence": 1}, {}]
    assert kept == {"a-1/0": "worded differently 0"}


def test_a_handler_that_fails_for_good_is_reported_and_the_conversation_goes_on() -> None:
    service = Service(message(1, "a"), message(2, "a"))
    cursor = MemoryCursor()
    failed: list[tuple[str, Exception]] = []
    runs: list[str] = []

    async def handler(event: Event) -> None:
        runs.append(event.id)
        if event.id == "a-1":
            raise RuntimeError("a fault of the handler")

    async def on_error(event: Event, error: Exception) -> None:
        failed.append((event.id, error))

    run(service, handler, lambda: "a-2" in runs, cursor=cursor, attempts=3, on_error=on_error)
    assert runs == ["a-1", "a-1", "a-1", "a-2"]
    assert [(id, type(error)) for id, error in failed] == [("a-1", RuntimeError)]
    assert cursor.load() == "a-2"


def refused(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": ""}, headers={"retry-after": "3600"})


async def answers(event: Event) -> None:
    await event.reply("x")


def test_a_bot_goes_on_after_a_conversation_that_has_ended() -> None:
    service = Service(message(1, "a"), message(2, "b"), message(3, "c"))
    cursor = MemoryCursor()
    refusals = {"a-1/0": refused(409, "dialog-closed"), "a-2/0": refused(404, "unknown-conversation")}
    service.answer = lambda key, text: refusals.get(key) or httpx.Response(200, json={"sequence": 1})
    run(service, answers, lambda: cursor.load() == "a-3", cursor=cursor)
    assert sorted(key for _, key, _ in service.sent) == ["a-1/0", "a-2/0", "a-3/0"]


def test_a_bot_goes_on_if_on_error_cannot_act_in_a_conversation_that_has_ended_either() -> None:
    service = Service(message(1, "a"))
    service.answer = lambda key, text: refused(409, "dialog-closed")
    cursor = MemoryCursor()

    async def on_error(event: Event, error: Exception) -> None:
        await event.conversation.transfer(skill_id="1")

    run(service, answers, lambda: cursor.load() == "a-1", cursor=cursor, on_error=on_error)
    assert [key for _, key, _ in service.sent] == ["a-1/0", "a-1/transfer/0"]


def test_a_bot_whose_cursor_cannot_be_read_ends_at_once() -> None:
    class Broken(MemoryCursor):
        def load(self) -> str | None:
            raise tertulia.CursorError("no cursor")

    async def main() -> None:
        async with Service().client() as client:
            bot = client.bot(never, cursor=Broken())
            running = asyncio.create_task(bot.run())
            await bot.ready()
            with pytest.raises(tertulia.CursorError):
                await running

    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_a_bot_ends_with_any_other_error_and_gets_the_event_again() -> None:
    service = Service(heartbeat(0), message(1, "a"))
    cursor = MemoryCursor()
    service.answer = lambda key, text: refused(422, "text-too-long")
    with pytest.raises(tertulia.BadRequestError):
        run(service, answers, lambda: False, cursor=cursor)
    assert len(service.sent) == 1
    assert cursor.load() == "a-0"


def test_runs_while_the_service_is_overloaded_do_not_count() -> None:
    service = Service(message(1, "a"))
    runs = 0

    def answer(key: str, text: str) -> httpx.Response:
        nonlocal runs
        runs += 1
        return refused(503, "not-connected") if runs < 8 else httpx.Response(200, json={"sequence": 1})

    service.answer = answer
    cursor = MemoryCursor()
    run(service, answers, lambda: cursor.load() == "a-1", cursor=cursor, attempts=2)
    assert runs == 8


def test_the_patience_with_an_event_ends() -> None:
    service = Service(message(1, "a"))
    service.answer = lambda key, text: refused(503, "not-connected")
    with pytest.raises(tertulia.UnavailableError):
        run(service, answers, lambda: False, patience=0)
    assert len(service.sent) == 1


@pytest.mark.parametrize(
    ("error", "has_attempts", "has_time", "expected"),
    [
        (RuntimeError(), True, True, True),
        (RuntimeError(), False, True, False),
        (RuntimeError(), True, False, False),
        (tertulia.NoAnswerError(""), False, False, True),
        (tertulia.ConflictError(409, {"code": "no-open-dialog"}), True, True, False),
        (tertulia.UnavailableError(503, {"code": "not-connected"}), True, True, True),
        (tertulia.UnavailableError(500, {"code": "dead-lettered"}), True, True, False),
    ],
)
def test_when_a_handler_runs_again(error: Exception, has_attempts: bool, has_time: bool, expected: bool) -> None:
    assert runs_again(error, has_attempts=has_attempts, has_time=has_time) is expected


def test_two_bots_with_names_have_keys_of_their_own() -> None:
    service = Service(message(1, "a"))
    run(service, answers, lambda: len(service.sent) == 1, name="first")
    run(service, answers, lambda: len(service.sent) == 2, name="second")
    assert [key for _, key, _ in service.sent] == ["first/a-1/0", "second/a-1/0"]


def test_a_handler_that_takes_too_long_fails() -> None:
    service = Service(message(1, "a"))
    failed: list[Exception] = []

    async def handler(event: Event) -> None:
        await asyncio.sleep(3600)

    options = {"attempts": 1, "handler_deadline": 0.01, "on_error": lambda event, error: failed.append(error)}
    run(service, handler, lambda: bool(failed), **options)
    assert isinstance(failed[0], (TimeoutError, asyncio.TimeoutError))


def test_an_error_of_on_error_stops_the_bot_before_the_event() -> None:
    service = Service(heartbeat(0), message(1, "a"))
    cursor = MemoryCursor()

    async def handler(event: Event) -> None:
        raise RuntimeError("a fault of the handler")

    def on_error(event: Event, error: Exception) -> None:
        raise error

    with pytest.raises(RuntimeError, match="a fault of the handler"):
        run(service, handler, lambda: False, cursor=cursor, attempts=1, on_error=on_error)
    assert cursor.load() == "a-0"


def test_a_refused_stream_and_a_broken_cursor_stop_the_bot() -> None:
    class Broken(MemoryCursor):
        def save(self, cursor: str) -> None:
            raise tertulia.CursorError("no space")

    with pytest.raises(tertulia.CursorError):
        run(Service(heartbeat(0)), never, lambda: False, cursor=Broken())
    refusing = httpx.MockTransport(lambda request: httpx.Response(401, json={"code": "unauthenticated"}))

    async def main() -> None:
        async with tertulia.Tertulia("http://service", http=httpx.AsyncClient(transport=refusing)) as client:
            await client.bot(never).run()

    with pytest.raises(tertulia.UnauthenticatedError):
        asyncio.run(main())


def test_a_cancelled_bot_saves_its_position() -> None:
    service, cursor = Service(heartbeat(0), message(1, "a"), message(2, "b")), MemoryCursor()
    seen: list[str] = []

    async def handler(event: Event) -> None:
        seen.append(event.id)
        if event.id == "a-2":
            await asyncio.sleep(3600)

    async def main() -> None:
        async with service.client() as client:
            running = asyncio.create_task(client.bot(handler, cursor=cursor).run())
            while len(seen) < 2:
                await asyncio.sleep(0)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(asyncio.wait_for(main(), WITHIN))
    assert cursor.load() == "a-1"


def test_an_option_that_cannot_work_is_refused() -> None:
    async def main() -> None:
        async with Service().client() as client:
            client.bot(never, at_once=0)

    with pytest.raises(ValueError, match="at_once is 0"):
        asyncio.run(main())


def test_a_bot_runs_only_once() -> None:
    async def main() -> None:
        async with Service().client() as client:
            bot = client.bot(never)
            await run_until(bot, lambda: True)
            with pytest.raises(tertulia.TertuliaError, match="only once"):
                await bot.run()

    asyncio.run(asyncio.wait_for(main(), WITHIN))
