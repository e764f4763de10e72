"""A bot as a process of its own, for the tests that kill it: answers each text with the same text and its run."""

import os
import sys

from tertulia import Event, FileCursor, run_bot

RUN = os.getpid()


async def answer(event: Event) -> None:
    if event.consumer_text is not None:
        await event.reply(f"to {event.consumer_text} by {RUN}")


run_bot(answer, connection="bots-1", cursor=FileCursor(sys.argv[1]), start="earliest")
