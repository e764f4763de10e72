"""The examples run as they are, in front of a real service."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tertulia.testing import Service, StandIn

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
WITHIN = 20


@contextmanager
def example(
    name: str, service: Service, directory: pathlib.Path, *arguments: str, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Runs an example in a directory of its own, and ends it."""
    variables = {**os.environ, **service.environment, **environment}
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=directory,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_file(platform: StandIn, file: pathlib.Path) -> None:
    """A bot saves its first position as soon as it follows the stream."""
    platform.wait_until(file.exists, within=WITHIN, what=f"{file.name} is there")


def test_the_echo_bot_answers_and_goes_on_where_it_ended(
    service: Service, platform: StandIn, tmp_path: pathlib.Path
) -> None:
    with example("echo_bot.py", service, tmp_path) as bot:
        wait_for_file(platform, tmp_path / "bot.cursor")
        conversation = platform.open_conversation()
        platform.say(conversation, "one")
        platform.wait_for_answers(conversation, within=WITHIN)
        bot.terminate()
        assert bot.wait(WITHIN) == 0
    platform.say(conversation, "two")
    with example("echo_bot.py", service, tmp_path):
        answers = platform.wait_for_answers(conversation, count=2, within=WITHIN)
    assert [answer["text"] for answer in answers] == ["You said: one", "You said: two"]


class Model(http.server.BaseHTTPRequestHandler):
    """A language model that says how many messages it got. It fails the first time, and whenever it is asked why."""

    asked: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append({"path": self.path, "token": self.headers["authorization"], **request})
        last = request["messages"][-1]["content"]
        fails = len(self.asked) == 1 or last == "why"
        choices = [{"message": {"role": "assistant", "content": f"{len(request['messages'])}: {last}"}}]
        body = json.dumps({"error": "later"} if fails else {"choices": choices}).encode()
        self.send_response(500 if fails else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:
        pass


def test_the_bot_with_a_model_asks_it_with_the_whole_conversation(
    service: Service, platform: StandIn, tmp_path: pathlib.Path
) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {"MODEL_URL": f"http://127.0.0.1:{server.server_port}/v1", "MODEL_KEY": "t", "MODEL_NAME": "m"}
    variables["SKILL_OF_PEOPLE"] = "1"
    try:
        with example("llm_bot.py", service, tmp_path, **variables):
            wait_for_file(platform, tmp_path / "bot.cursor")
            unanswered = platform.open_conversation()
            platform.say(unanswered, "why")
            conversation = platform.open_conversation()
            platform.say(conversation, "one")
            platform.wait_for_answers(conversation, within=WITHIN)
            platform.say(conversation, "two")
            answers = platform.wait_for_answers(conversation, count=2, within=WITHIN)
            with service.sync_client() as client:
                transfers = client.events(conversation=unanswered, type="transfer-skill", cursor="earliest")
                assert next(transfers).data["skillId"] == "1"
    finally:
        server.shutdown()
        server.server_close()
    texts = [answer["text"] for answer in answers if answer["type"] == "ContentEvent"]
    assert texts == ["2: one", "4: two"]
    with_two = next(each for each in Model.asked if each["messages"][-1]["content"] == "two")
    assert [each["role"] for each in with_two["messages"]] == ["system", "user", "assistant", "user"]
    assert {(each["path"], each["token"], each["model"]) for each in Model.asked} == {
        ("/v1/chat/completions", "Bearer t", "m")
    }


def test_the_follower_prints_every_event_once(service: Service, platform: StandIn, tmp_path: pathlib.Path) -> None:
    def lines(count: int) -> list[str]:
        with example("follow_events.py", service, tmp_path) as follower:
            assert follower.stdout is not None
            return [follower.stdout.readline() for _ in range(count)]

    conversation = platform.open_conversation()
    for number in range(7):
        platform.say(conversation, f"text {number}")
    with service.sync_client() as client:
        heard = client.events(cursor="earliest", connection="bots-1")
        expected = [next(heard) for _ in range(7)]
    first = lines(3)
    second = lines(4)
    # The last line of the first run is printed again if its handling was broken off.
    is_again = second[0] == first[-1]
    printed = first + second[is_again:]
    assert printed == [f"{event.time} {event.type} {event.conversation_id}\n" for event in expected][: len(printed)]


def test_old_conversations_are_closed(tmp_path: pathlib.Path) -> None:
    with StandIn() as platform, Service(platform) as service:
        platform.say(platform.open_conversation(), "Hello")
        with service.sync_client() as client:
            platform.wait_until(lambda: any(row.get("lastMessage") for row in client.conversations()))
            with example("close_old.py", service, tmp_path, "2100-01-01T00:00:00Z") as script:
                said, _ = script.communicate(timeout=WITHIN)
            assert script.returncode == 0
            assert said.startswith("1 conversations match\njob ")
            platform.wait_until(lambda: not list(client.conversations(stage="OPEN")), what="the conversation is closed")
