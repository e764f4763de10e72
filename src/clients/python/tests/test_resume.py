"""The bot and the service are killed under traffic: every message is answered exactly once."""

import os
import pathlib
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict

from tertulia.testing import Service, StandIn

BOT = pathlib.Path(__file__).with_name("bot_program.py")
CONVERSATIONS, MESSAGES, KILLS = 25, 8, 6
WITHIN = 60


class Bot:
    """The bot's process, which is started again after it was killed."""

    def __init__(self, service: Service, cursor: pathlib.Path) -> None:
        self._command = [sys.executable, str(BOT), str(cursor)]
        self._environment = {**os.environ, **service.environment}
        self._log = cursor.with_name("log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Fails if the process ended by itself."""
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(WITHIN)


def test_every_message_is_answered_exactly_once_whoever_is_killed(tmp_path: pathlib.Path) -> None:
    chance = random.Random(5)
    with StandIn(options=["--seed", "5"]) as platform, Service(platform) as service:
        bot = Bot(service, tmp_path / "cursor")
        try:
            bot.start()
            said = CONVERSATIONS * MESSAGES
            traffic = platform.start_traffic(conversations=CONVERSATIONS, messages=MESSAGES, rate=40)
            for kill in range(KILLS):
                # At any moment, but not before the last start had an effect.
                wait_for_answers(platform, bot, min(platform.ledger_summary()["agentMessages"] + 1, said))
                time.sleep(chance.uniform(0, 0.3))
                if kill % 2:
                    service.kill()
                    service.start()
                else:
                    bot.kill()
                    bot.start()
            wait_for_answers(platform, bot, said)
            platform.wait_until(lambda: platform.traffic(traffic)["done"], what="the traffic")
            assert bot.stop() == 0
            check(platform, said)
        finally:
            bot.kill()


def wait_for_answers(platform: StandIn, bot: Bot, count: int) -> None:
    def are_there() -> bool:
        bot.check()
        return bool(platform.ledger_summary()["agentMessages"] >= count)

    platform.wait_until(are_there, within=WITHIN, what=f"{count} answers")


def check(platform: StandIn, said: int) -> None:
    texts: dict[str, list[str]] = defaultdict(list)
    answers: dict[str, list[str]] = defaultdict(list)
    runs = set()
    for entry in platform.ledger():
        text = (entry["text"] or "").rstrip()
        if entry["role"] == "CONSUMER":
            texts[entry["conversation"]].append(text)
        else:
            answered, _, run = text.removeprefix("to ").rpartition(" by ")
            answers[entry["conversation"]].append(answered.rstrip())
            runs.add(run)
    assert sum(map(len, texts.values())) == said
    # Several runs took part, so the kills had an effect.
    assert len(runs) > 1
    assert {id: Counter(each) for id, each in answers.items()} == {id: Counter(each) for id, each in texts.items()}
    assert answers == texts, "answered in another order"
