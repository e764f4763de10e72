"""The stand-in's control, and what is left after a test."""

import os
import pathlib
import subprocess
import sys

import pytest
import tertulia
from tertulia.testing import Service, StandIn


def test_controls_the_platform() -> None:
    with StandIn(agents=1, account="87654321", options=["--seed", "7"]) as platform:
        conversation = platform.open_conversation(consumer="ann", profile={"firstName": "Ann"})
        assert platform.say(conversation, "one") == 0
        assert platform.say(conversation, "two") == 1
        assert [(entry["text"], entry["role"]) for entry in platform.ledger(conversation)] == [
            ("one", "CONSUMER"), ("two", "CONSUMER"),
        ]  # fmt: skip
        assert platform.answers(conversation) == []
        platform.close(conversation)
        with pytest.raises(tertulia.TertuliaError, match="the stand-in refused"):
            platform.say(conversation, "three")
        traffic = platform.start_traffic(conversations=3, messages=2)
        platform.wait_until(lambda: platform.traffic(traffic)["done"], what="the traffic")
        assert platform.traffic(traffic)["sent"] == 6
        assert platform.ledger_summary()["consumerMessages"] == 8
        assert len(platform.ledger()) == 8
        assert platform.fault("drop", user="bot1") == 0
        platform.set_faults("none", seed=3)
        rule = platform.refuse("PublishEvent", {"code": 429}, user="bot1", often={"times": 3})
        assert [each["id"] for each in platform.rules()] == [rule]
        platform.end_rules(rule)
        platform.end_rules()
        assert platform.rules() == []
        assert platform.sessions() == []
        with pytest.raises(TimeoutError, match="1 answers"):
            platform.wait_for_answers(conversation, within=0)


def test_nothing_is_left_after_a_test_that_failed() -> None:
    processes: list[int] = []
    directories: list[pathlib.Path] = []
    with pytest.raises(RuntimeError):
        with StandIn() as platform, Service(platform, bots={"a": "bot1", "b": "bot2"}) as service:
            with service.sync_client() as client:
                assert {row["id"] for row in client.connections()} == {"a", "b"}
            assert len(platform.sessions()) == 2
            assert service.token not in service.log()
            for started in (platform, service):
                assert started._process is not None
                processes.append(started._process.id)
                directories.append(started.directory)
            raise RuntimeError("a fault of the test")
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert not any(directory.exists() for directory in directories)


ABANDONED = """
import sys
from tertulia.testing import Service, StandIn

platform = StandIn().start()
service = Service(platform).start()
for started in (platform, service):
    print(started._process.id, started.directory, flush=True)
sys.stdin.read()
"""


def test_nothing_is_left_after_a_process_that_was_killed(platform: StandIn) -> None:
    command = [sys.executable, "-c", ABANDONED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = [process.stdout.readline().split() for _ in range(2)]
        process.kill()

    def is_gone() -> bool:
        return not any(is_there(int(id)) or pathlib.Path(directory).exists() for id, directory in started)

    assert all(len(each) == 2 for each in started)
    platform.wait_until(is_gone, what="both processes and their directories are gone")


def is_there(process: int) -> bool:
    try:
        # A process that nobody waits for is still listed after its end.
        return ") Z " not in pathlib.Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_configuration_with_a_mistake_is_reported() -> None:
    with StandIn() as platform:
        with pytest.raises(tertulia.TertuliaError, match="before it was ready(.|\n)*nonsense"):
            Service(platform, configuration="\n[nonsense]\n").start()
