"""A whole program: one bot, until the process is asked to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

from .bot import BotOptions, Handler
from .client import Tertulia

if sys.version_info >= (3, 11):
    from typing import Unpack
else:
    from typing_extensions import Unpack


def run_bot(handler: Handler, url: str | None = None, token: str | None = None, **options: Unpack[BotOptions]) -> None:
    """Runs a bot until SIGINT or SIGTERM. The handlers that run then have the seconds of `grace` to finish.

    `url` and `token` are those of the environment by default (`TERTULIA_URL`, `TERTULIA_TOKEN`). Raises what `Bot.run`
    raises.

        run_bot(answer, connection="bots-1", cursor=FileCursor("bot.cursor"))
    """
    asyncio.run(_run(handler, url, token, options))


async def _run(handler: Handler, url: str | None, token: str | None, options: BotOptions) -> None:
    async with Tertulia(url, token) as tertulia:
        bot = tertulia.bot(handler, **options)
        loop = asyncio.get_running_loop()
        # Not every system has these signals.
        with contextlib.suppress(NotImplementedError):
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(name, bot.stop)
        await bot.run()
