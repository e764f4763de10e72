"""Following events in front of a real service."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import tertulia
from tertulia import Event, FileCursor, MemoryCursor, retries
from tertulia.testing import Service, StandIn

WITHIN = 20


async def texts(events: AsyncIterator[Event], count: int) -> list[str]:
    """The next consumers' texts. All of them are handled."""
    heard: list[str] = []
    async for event in events:
        if len(heard) == count:
            break
        if event.consumer_text is not None:
            heard.append(event.consumer_text)
    return heard


def test_a_reader_who_returns_with_its_cursor_misses_nothing_and_gets_nothing_twice(
    service: Service, platform: StandIn, tmp_path: object
) -> None:
    cursor = FileCursor(f"{tmp_path}/cursor")
    conversation = platform.open_conversation()
    for number in range(6):
        platform.say(conversation, f"text {number}")

    async def main() -> None:
        async with service.client() as client:
            for expected in (["text 0", "text 1"], ["text 2", "text 3"], ["text 4"]):
                events = client.events(conversation=conversation, type="message", cursor=cursor, start="earliest")
                assert await texts(events, len(expected)) == expected

    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_an_event_whose_handling_was_broken_off_comes_again(service: Service, platform: StandIn) -> None:
    conversation = platform.open_conversation()
    platform.say(conversation, "one")

    async def main() -> None:
        cursor = MemoryCursor()
        seen = []
        async with service.client() as client:
            for _ in range(2):
                with pytest.raises(RuntimeError):
                    async for event in client.events(conversation=conversation, cursor=cursor, start="earliest"):
                        seen.append(event.id)
                        raise RuntimeError("a fault of the reader")
        assert len(seen) == 2 and seen[0] == seen[1]

    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_a_stream_goes_on_after_the_service_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    # The wait that the service proposes is longer than this test wants to take.
    monkeypatch.setattr(retries, "retry_wait", lambda *_: 0.05)
    with StandIn() as platform, Service(platform) as service:
        conversation = platform.open_conversation()

        async def main() -> None:
            async with service.client() as client:
                events = client.events(conversation=conversation, type="message", start="earliest")
                platform.say(conversation, "before")
                assert await texts_of(events, 1) == ["before"]
                service.kill()
                platform.say(conversation, "meanwhile")
                await asyncio.to_thread(service.start)
                platform.say(conversation, "after")
                assert await texts_of(events, 2) == ["meanwhile", "after"]

        asyncio.run(asyncio.wait_for(main(), 2 * WITHIN))


async def texts_of(events: AsyncIterator[Event], count: int) -> list[str | None]:
    return [(await anext(events)).consumer_text for _ in range(count)]


def test_an_unknown_cursor_gets_a_gap(service: Service) -> None:
    async def main() -> None:
        async with service.client() as client:
            event = await anext(client.events(cursor="another-log-7"))
            assert event.gap is not None and "snapshot" in event.gap
            assert event.conversation_id is None
            with pytest.raises(tertulia.TertuliaError, match="has no conversation"):
                await event.reply("Hello")

    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_pages_are_read_to_the_end(service: Service, platform: StandIn) -> None:
    conversation = platform.open_conversation()
    platform.say(conversation, "one")

    async def main() -> None:
        async with service.client() as client:
            seen: list[str] = []
            after = "earliest"
            while True:
                page = await client.event_page(after=after, limit=1, conversation=conversation)
                seen += [event["id"] for event in page["items"]]
                if page["cursor"] == after:
                    break
                after = page["cursor"]
            assert len(seen) == len(set(seen)) > 1

    with service.sync_client() as client:
        platform.wait_until(
            lambda: bool(client.event_page(conversation=conversation, type="message")["items"]), what="the message"
        )
    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_a_cursor_may_be_asynchronous(service: Service) -> None:
    class Row:
        saved: str | None = None

        async def load(self) -> str | None:
            await asyncio.sleep(0)
            return self.saved

        async def save(self, cursor: str) -> None:
            await asyncio.sleep(0)
            self.saved = cursor

    async def main() -> None:
        row = Row()
        async with service.client() as client:
            ids = []
            async for event in client.events(cursor=row, start="earliest"):
                ids.append(event.id)
                if len(ids) == 3:
                    break
        assert row.saved == ids[1]

    asyncio.run(asyncio.wait_for(main(), WITHIN))


def test_without_a_service_the_reader_gives_up_if_it_should() -> None:
    async def main() -> None:
        async with tertulia.Tertulia("http://127.0.0.1:9") as client:
            with pytest.raises(tertulia.NoAnswerError, match="no event stream for 0 s"):
                await anext(client.events(give_up_after=0))

    asyncio.run(asyncio.wait_for(main(), WITHIN))
