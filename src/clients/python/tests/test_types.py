"""The package, its examples, its tests and a file of uses have no type error in strict mode."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def checked(*arguments: str, cache: pathlib.Path) -> str:
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(cache), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "MYPYPATH"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return ended.stdout + ended.stderr


def test_everything_is_typed_and_wrong_uses_are_found(tmp_path: pathlib.Path) -> None:
    said = checked(cache=tmp_path)
    assert said.startswith("Success"), said
    wrong = tmp_path / "wrong.py"
    lines = (ROOT / "tests" / "uses.py").read_text().splitlines()
    marked = [number for number, line in enumerate(lines, 1) if "# wrong:" in line]
    assert marked
    # Each of these lines is a comment in the file of uses.
    for number in marked:
        before, _, use = lines[number - 1].partition("# wrong: ")
        lines[number - 1] = before + use
    wrong.write_text("\n".join(lines) + "\n")
    said = checked(str(wrong), cache=tmp_path)
    found = {int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line}
    assert found == set(marked), said
