"""A process that is started for a test."""

from __future__ import annotations

import atexit
import os
import pathlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ..errors import TertuliaError

READY_WITHIN = 30.0
"""Seconds in which a process must be ready."""
ENDS_WITHIN = 15.0
"""Seconds in which a process that was asked to end must end."""
LOOK_EVERY = 0.02

T = TypeVar("T")


# Waits until its input ends, because the process that holds the other side has ended, and then cleans up.
WATCH = 'read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2"'


class Process:
    """A process whose output goes to a file in a directory of its own.

    The process ends with this one at the latest. If this one is killed, the directory is deleted, too.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], output: pathlib.Path) -> None:
        self._name = " ".join(command[:2])
        self._output = output
        self._begins_at = output.stat().st_size if output.exists() else 0
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=dict(environment)
            )
        atexit.register(self.kill)
        self._watcher: subprocess.Popen[bytes] | None = None
        if os.name == "posix":
            watch = ["sh", "-c", WATCH, "sh", str(self.id), str(output.parent)]
            # In a session of its own, so that Ctrl-C and a killed group leave it.
            self._watcher = subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True)

    @property
    def id(self) -> int:
        """The id of the process."""
        return self._process.pid

    def lines(self) -> list[str]:
        """Returns the complete lines that the process has written."""
        text = self._output.read_bytes()[self._begins_at :].decode(errors="replace")
        return text.split("\n")[:-1]

    def until(self, found: Callable[[], T | None]) -> T:
        """Waits until `found` returns something.

        Raises `TertuliaError` if the process ends before, or needs too long.
        """
        ends_at = time.monotonic() + READY_WITHIN
        while True:
            result = found()
            if result is not None:
                return result
            code = self._process.poll()
            if code is not None:
                raise TertuliaError(f"{self._name} ended with {code} before it was ready\n{self._last_lines()}")
            if time.monotonic() > ends_at:
                raise TertuliaError(f"{self._name} was not ready within {READY_WITHIN:g} s\n{self._last_lines()}")
            time.sleep(LOOK_EVERY)

    def stop(self) -> None:
        """Asks the process to end, and waits until it has."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        atexit.unregister(self.kill)

    def _last_lines(self) -> str:
        return "\n".join(self.lines()[-20:])
