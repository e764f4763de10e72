from tertulia import Event, FileCursor, run_bot


async def answer(event: Event) -> None:
    if event.consumer_text is not None:
        await event.reply(f"You said: {event.consumer_text}")


run_bot(answer, connection="bots-1", cursor=FileCursor("bot.cursor"))
