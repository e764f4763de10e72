import asyncio

from tertulia import FileCursor, Tertulia


async def main() -> None:
    async with Tertulia() as tertulia:
        cursor = FileCursor("follow.cursor")
        async for event in tertulia.events(connection="bots-1", cursor=cursor, start="earliest"):
            print(event.time, event.type, event.conversation_id, flush=True)
            if event.gap is not None:
                print("missing:", event.gap, flush=True)


asyncio.run(main())
