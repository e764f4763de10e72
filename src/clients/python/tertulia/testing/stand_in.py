"""The platform stand-in: `tertulia emulate`, and its control interface."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import tempfile
import time
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

import httpx

from ..errors import TertuliaError
from ..program import find_program
from ..request import given
from .process import LOOK_EVERY, Process

if sys.version_info >= (3, 11):
    from typing import Self
else:
    from typing_extensions import Self


class LedgerEntry(TypedDict):
    """Something that the platform accepted in a conversation."""

    conversation: str
    dialog: str
    sequence: int
    role: str
    """The author's role: `CONSUMER`, `ASSIGNED_AGENT` and so on."""
    originator: str
    audience: str
    """`ALL`, or `AGENTS_AND_MANAGERS` for private messages."""
    type: str
    """`ContentEvent`, `RichContentEvent` and so on."""
    text: str | None
    metadata: list[dict[str, Any]] | None
    time: int
    """In milliseconds since the epoch."""


class Traffic(TypedDict):
    """How far simulated consumers have come."""

    opened: int
    sent: int
    answered: int
    done: bool


class StandIn:
    """A messaging platform on loopback, with agents `bot1`, `bot2` and so on.

        with StandIn() as platform:
            conversation = platform.open_conversation()
            platform.say(conversation, "Hello")

    `options` are further arguments of `tertulia emulate`, such as `["--faults", "flaky"]`. Its methods block for a moment;
    from asynchronous code, await a longer wait with `asyncio.to_thread(platform.wait_for_answers, conversation)`. Every
    method raises `TertuliaError` if the stand-in refuses.
    """

    def __init__(self, *, agents: int = 4, account: str = "12345678", options: Sequence[str] = ()) -> None:
        self.account = account
        """The id of the platform's only account."""
        self._arguments = ["--agents", str(agents), "--account", account, *options]
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: Process | None = None
        self._http: httpx.Client | None = None
        self._addresses: dict[str, str] = {}

    def start(self) -> Self:
        """Starts the stand-in, and waits until it is ready.

        Raises `ProgramMissingError` without the program, and `TertuliaError` if it does not start.
        """
        program = find_program()
        self._directory = tempfile.TemporaryDirectory(prefix="tertulia-platform-")
        try:
            command = [program, "emulate", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
            command += ["--ca-out", str(self.ca_file), *self._arguments]
            self._process = Process(command, os.environ, self.directory / "log")
            self._addresses = self._process.until(self._ready)
            control = f"http://{self._addresses['control']}"
            self._http = httpx.Client(base_url=control, timeout=10.0, trust_env=False)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the stand-in."""
        if self._http is not None:
            self._http.close()
            self._http = None
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def directory(self) -> pathlib.Path:
        """The directory of the stand-in's files."""
        if self._directory is None:
            raise TertuliaError("the stand-in does not run")
        return pathlib.Path(self._directory.name)

    @property
    def discovery(self) -> str:
        """The URL of the platform's discovery."""
        return f"https://{self._addresses['listen']}"

    @property
    def ca_file(self) -> pathlib.Path:
        """The certificate authority that clients of the platform must trust."""
        return self.directory / "ca.pem"

    @property
    def control(self) -> str:
        """The URL of the control interface, for other programs."""
        return f"http://{self._addresses['control']}"

    def open_conversation(
        self, *, consumer: str | None = None, skill: str | None = None, profile: Mapping[str, Any] | None = None
    ) -> str:
        """A consumer opens a conversation. Returns its id."""
        opened = self._ask("POST", "/conversations", given(consumer=consumer, skill=skill, profile=profile))
        return str(opened["id"])

    def say(self, conversation: str, text: str) -> int:
        """The consumer of a conversation says something. Returns its sequence in the dialog, from 0."""
        return int(self._ask("POST", f"/conversations/{conversation}/messages", {"text": text})["sequence"])

    def close(self, conversation: str) -> None:
        """The consumer closes the conversation."""
        self._ask("POST", f"/conversations/{conversation}/close", {})

    def start_traffic(
        self,
        *,
        conversations: int,
        messages: int = 1,
        rate: float = 0,
        skill: str | None = None,
        text_bytes: int | None = None,
        **members: Any,
    ) -> str:
        """Consumers open conversations and speak, `rate` messages per second in all, or as fast as possible for 0.

        Returns the id for `traffic`.
        """
        order = given(
            conversations=conversations, messages=messages, rate=rate, skill=skill, textBytes=text_bytes, **members
        )
        return str(self._ask("POST", "/traffic", order)["id"])

    def traffic(self, id: str) -> Traffic:
        """Returns how far the consumers of `start_traffic` have come."""
        return cast(Traffic, self._ask("GET", f"/traffic/{id}"))

    def fault(
        self, fault: str, *, user: str | None = None, side: str | None = None, count: int | None = None, **members: Any
    ) -> int:
        """Causes a fault now, such as `drop`, `close` (with `code`), `half-open`, `expire-token` or `refuse-login`.

        Returns how many sockets it hit.

            platform.fault("drop", user="bot1")
        """
        order = given(fault=fault, user=user, side=side, count=count, **members)
        return int(self._ask("POST", "/faults", order)["hit"])

    def set_faults(self, mode: Literal["none", "flaky", "hostile"], *, seed: int = 1) -> None:
        """From now on, the platform misbehaves by chance."""
        self._ask("POST", "/faults", {"mode": mode, "seed": seed})

    def refuse(self, request: str, outcome: Mapping[str, Any] | str, **members: Any) -> str:
        """The platform refuses requests of a kind. Returns the id of this rule.

            platform.refuse("PublishEvent", {"code": 429}, user="bot1", often={"times": 3})
        """
        return str(self._ask("POST", "/faults", {"request": request, "outcome": outcome, **members})["rule"])

    def rules(self) -> list[dict[str, Any]]:
        """Returns the rules of `refuse`, with what each has granted and refused."""
        return cast("list[dict[str, Any]]", self._ask("GET", "/faults")["rules"])

    def end_rules(self, rule: str | None = None) -> None:
        """Ends one rule of `refuse`, or all."""
        self._ask("DELETE", "/faults" if rule is None else f"/faults/{rule}")

    def install_app(self, document: Mapping[str, Any]) -> Any:
        """Installs an application with its webhooks, and returns its document."""
        return self._ask("POST", "/apps", document)

    def ledger(self, conversation: str | None = None) -> list[LedgerEntry]:
        """Returns what the platform accepted, in order; in one conversation or in all."""
        lines = self._answer("GET", "/ledger").text.splitlines()
        entries = [cast(LedgerEntry, json.loads(line)) for line in lines if line]
        return [entry for entry in entries if conversation in (None, entry["conversation"])]

    def ledger_summary(self) -> dict[str, Any]:
        """Returns the counts of the ledger."""
        return cast("dict[str, Any]", self._ask("GET", "/ledger/summary"))

    def sessions(self) -> list[dict[str, Any]]:
        """Returns the open sockets by side and user."""
        return cast("list[dict[str, Any]]", self._ask("GET", "/sessions"))

    def answers(self, conversation: str) -> list[LedgerEntry]:
        """Returns what agents and bots said to the consumer of a conversation."""
        entries = self.ledger(conversation)
        return [entry for entry in entries if entry["role"] != "CONSUMER" and entry["audience"] == "ALL"]

    def wait_for_answers(self, conversation: str, *, count: int = 1, within: float = 10.0) -> list[LedgerEntry]:
        """Waits until a consumer has so many answers, and returns them.

        Raises `TimeoutError` after `within` seconds.
        """
        answers: list[LedgerEntry] = []

        def are_enough() -> bool:
            nonlocal answers
            answers = self.answers(conversation)
            return len(answers) >= count

        self.wait_until(are_enough, within=within, what=f"{count} answers in conversation {conversation}")
        return answers

    def wait_until(self, is_so: Callable[[], bool], *, within: float = 10.0, what: str = "the condition") -> None:
        """Waits until a condition holds, for example one on the ledger.

        Raises `TimeoutError` after `within` seconds.
        """
        ends_at = time.monotonic() + within
        while not is_so():
            if time.monotonic() > ends_at:
                raise TimeoutError(f"not within {within:g} s: {what}")
            time.sleep(LOOK_EVERY)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._answer(method, path, body)
        return answer.json() if answer.content else None

    def _answer(self, method: str, path: str, body: Any = None) -> httpx.Response:
        if self._http is None:
            raise TertuliaError("the stand-in does not run")
        answer = self._http.request(method, path, json=body)
        if not answer.is_success:
            raise TertuliaError(f"the stand-in refused {method} {path} with {answer.status_code}: {answer.text}")
        return answer

    def _ready(self) -> dict[str, str] | None:
        assert self._process is not None
        ready = [line for line in self._process.lines() if line.startswith("{")]
        return cast("dict[str, str]", json.loads(ready[0])) if ready else None
