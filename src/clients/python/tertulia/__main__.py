"""Runs the program `tertulia` with all arguments: `python -m tertulia emulate --control 127.0.0.1:8444`."""

from __future__ import annotations

import os
import subprocess
import sys

from .program import ProgramMissingError, find_program


def main() -> int:
    """Runs the program in the place of this process, or returns its exit code where a process cannot be replaced."""
    try:
        program = find_program()
    except ProgramMissingError as missing:
        print(f"tertulia: {missing}", file=sys.stderr)
        return 127
    command = [program, *sys.argv[1:]]
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(program, command)
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
