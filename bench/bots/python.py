"""A bot on the package for Python, for `tertulia-bench chaos --bot 'python3 bench/bots/python.py'`."""

import os

from tertulia import Event, FileCursor, run_bot


async def answer(event: Event) -> None:
    if event.consumer_text is not None:
        await event.reply(f"You said: {event.consumer_text}")


run_bot(answer, type="message", cursor=FileCursor(os.environ["TERTULIA_CURSOR"]), start="earliest")
