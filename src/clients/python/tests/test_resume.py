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
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

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
            traffic = platform.start_traffic(conversations=CONVERSATIONS, messages=MESSAGES, rate=40)
            for kill in range(KILLS):
                answered = platform.ledger_summary()["agentMessages"]
                # At any moment, but not before the last start had an effect.
                platform.wait_until(
                    lambda: platform.ledger_summary()["agentMessages"] > answered
                    or platform.traffic(traffic)["done"],
                    within=WITHIN,
                    what="an answer",
                )
                time.sleep(chance.uniform(0, 0.3))
                if kill % 2:
                    service.kill()
                    service.start()
                else:
                    bot.kill()
                    bot.start()
            said = CONVERSATIONS * MESSAGES
            platform.wait_until(
                lambda: len(platform.ledger()) >= 2 * said, within=WITHIN, what=f"answers to all {said} messages"
            )
            assert bot.stop() == 0
            check(platform, said)
        finally:
            bot.kill()


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
