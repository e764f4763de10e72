"""`python -m tertulia` runs the program."""

import os
import pathlib
import subprocess
import sys

import pytest
import tertulia
from tertulia.program import ProgramMissingError
from tertulia.testing import StandIn

COMMAND = [sys.executable, "-m", "tertulia"]


def test_passes_everything_through(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\ncat\nexit 7\n')
    program.chmod(0o755)
    environment = {**os.environ, "TERTULIA_BIN": str(program)}
    ended = subprocess.run(
        [*COMMAND, "emulate", "--agents", "a b"], env=environment, input="in", capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (7, "emulate|--agents|a b|in")


def test_finds_the_program_on_the_path(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tertulia").symlink_to(os.environ["TERTULIA_BIN"])
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    del environment["TERTULIA_BIN"]
    ended = subprocess.run([*COMMAND, "emulate", "--help"], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0
    assert "--control" in ended.stdout


def test_says_how_to_get_the_program() -> None:
    environment = {**os.environ, "PATH": "/nowhere"}
    del environment["TERTULIA_BIN"]
    ended = subprocess.run([*COMMAND, "emulate"], env=environment, capture_output=True, text=True)
    assert ended.returncode == 127
    assert "cargo build --release" in ended.stderr and "TERTULIA_BIN" in ended.stderr


def test_a_wrong_name_of_the_program_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERTULIA_BIN", "/nowhere/tertulia")
    with pytest.raises(ProgramMissingError, match="TERTULIA_BIN is /nowhere/tertulia"):
        StandIn().start()


def test_a_program_that_does_not_start_is_reported_with_its_words() -> None:
    with pytest.raises(tertulia.TertuliaError, match="ended with 2 before it was ready(.|\n)*--no-such-option"):
        StandIn(options=["--no-such-option"]).start()
