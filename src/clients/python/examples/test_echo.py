import asyncio
from collections.abc import Iterator

import pytest

from tertulia import Event
from tertulia.testing import Service, StandIn


async def answer(event: Event) -> None:
    if event.consumer_text is not None:
        await event.reply(f"You said: {event.consumer_text}")


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with StandIn() as platform, Service(platform) as service:
        yield service


def test_answers_once_although_its_session_is_lost(service: Service) -> None:
    async def talk() -> list[str | None]:
        platform = service.platform
        async with service.client() as tertulia:
            bot = tertulia.bot(answer, connection="bots-1")
            running = asyncio.create_task(bot.run())
            await bot.ready()
            conversation = platform.open_conversation()
            platform.say(conversation, "Hello")
            platform.fault("drop", user="bot1")
            answers = await asyncio.to_thread(platform.wait_for_answers, conversation)
            bot.stop()
            await running
            return [answer["text"] for answer in answers]

    assert asyncio.run(talk()) == ["You said: Hello"]
