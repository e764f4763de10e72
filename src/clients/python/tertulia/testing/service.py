"""The service in front of a stand-in: `tertulia run` with a generated configuration."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import sys
import tempfile
import types
from collections.abc import Mapping
from typing import Any

import httpx

from ..client import Tertulia
from ..errors import TertuliaError
from ..program import find_program
from ..sync import Tertulia as SyncTertulia
from .process import Process
from .stand_in import StandIn

if sys.version_info >= (3, 11):
    from typing import Self
else:
    from typing_extensions import Self

CONFIGURATION = """
[platform]
discovery = {discovery}
ca_file = {ca_file}

[engine]
path = {data}

[gateway]
listen = "127.0.0.1:0"
limits = {{ requests_per_second = 10000, burst = 10000 }}
tokens = [{{ name = "test", token = {{ env = "TERTULIA_TEST_TOKEN" }}, scope = "admin" }}]

[webhooks]
allow_internal = true
"""

BOT = """
[[connections]]
id = {id}
account = {account}
role = "brand"
login = {{ username = {login}, password = {{ env = "TERTULIA_TEST_PASSWORD" }} }}
rings = "accept"
agent_state = "ONLINE"
"""


class Service:
    """A service whose bots log in at a stand-in and accept every conversation.

        with StandIn() as platform, Service(platform, bots={"bots-1": "bot1"}) as service:
            async with service.client() as tertulia: ...

    `bots` has the login of each connection; `bots-1` is `bot1` by default. `configuration` is further TOML, such as more `[[connections]]`.
    `environment` has further variables, such as `{"TERTULIA_DRAIN__WITHIN": "1s"}`. The data directory is new, and is
    deleted at the end.
    """

    def __init__(
        self,
        platform: StandIn,
        *,
        bots: Mapping[str, str] | None = None,
        configuration: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.platform = platform
        """The platform."""
        self.token = secrets.token_hex(16)
        """A token of scope `admin`."""
        self._bots = dict({"bots-1": "bot1"} if bots is None else bots)
        self._configuration = configuration
        self._environment = dict(environment or {})
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: Process | None = None
        self._listen: str | None = None

    def start(self) -> Self:
        """Starts the service, and waits until its connections are ready.

        After `kill` or `stop_process`, the service starts with the same data at the same address. Raises
        `ProgramMissingError` without the program, and `TertuliaError` if it does not start.
        """
        program = find_program()
        try:
            if self._directory is None:
                self._directory = tempfile.TemporaryDirectory(prefix="tertulia-service-")
                self._write_configuration()
            variables = {"TERTULIA_TEST_TOKEN": self.token, "TERTULIA_TEST_PASSWORD": "secret", "RUST_LOG": "info"}
            if self._listen is not None:
                variables["TERTULIA_GATEWAY__LISTEN"] = self._listen
            command = [program, "run", "--log-format", "json", "--config", str(self.directory / "tertulia.toml")]
            environment = {**os.environ, **variables, **self._environment}
            self._process = Process(command, environment, self.directory / "log")
            self._listen = self._process.until(self._address)
            with httpx.Client(base_url=self.url, timeout=5.0, trust_env=False) as http:
                self._process.until(lambda: True if http.get("/readyz").is_success else None)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the service, and deletes its data."""
        self.stop_process()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def stop_process(self) -> None:
        """Asks the process to end, as an upgrade would. `start` starts it again."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Ends the process at once, as a crash would. `start` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process = None

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
    def url(self) -> str:
        """The URL of the service."""
        if self._listen is None:
            raise TertuliaError("the service was not started")
        return f"http://{self._listen}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a client in another process finds the service."""
        return {"TERTULIA_URL": self.url, "TERTULIA_TOKEN": self.token}

    @property
    def directory(self) -> pathlib.Path:
        """The directory of the service's configuration, log and data."""
        if self._directory is None:
            raise TertuliaError("the service does not run")
        return pathlib.Path(self._directory.name)

    def client(self, **options: Any) -> Tertulia:
        """Returns a client of the service, with the options of `Tertulia`."""
        return Tertulia(self.url, self.token, **options)

    def sync_client(self, **options: Any) -> SyncTertulia:
        """Returns a client of the service for code without asyncio."""
        return SyncTertulia(self.url, self.token, **options)

    def log(self) -> str:
        """Returns what the service has logged."""
        return (self.directory / "log").read_text(encoding="utf-8")

    def _write_configuration(self) -> None:
        texts = {
            "discovery": self.platform.discovery,
            "ca_file": str(self.platform.ca_file),
            "data": str(self.directory / "data"),
        }
        parts = [CONFIGURATION.format(**{name: json.dumps(text) for name, text in texts.items()})]
        account = json.dumps(self.platform.account)
        for id, login in self._bots.items():
            parts.append(BOT.format(id=json.dumps(id), login=json.dumps(login), account=account))
        (self.directory / "tertulia.toml").write_text("".join([*parts, self._configuration]), encoding="utf-8")

    def _address(self) -> str | None:
        assert self._process is not None
        for line in self._process.lines():
            gateway = json.loads(line).get("gateway") if line.startswith("{") else None
            if gateway is not None:
                return str(gateway)
        return None
