"""Finds the program `tertulia`."""

from __future__ import annotations

import os
import shutil

from .errors import TertuliaError

MISSING = """the program tertulia is not there: it is not on the PATH, and TERTULIA_BIN does not name it.
Build it in a checkout of Tertulia with `cargo build --release`, which needs Rust and a C compiler. Then put
target/release/tertulia on the PATH, or name it: export TERTULIA_BIN=/path/to/tertulia"""


class ProgramMissingError(TertuliaError):
    """The program `tertulia` is not there. The message says how to get it."""


def find_program() -> str:
    """Returns the path of the program: `TERTULIA_BIN`, or else `tertulia` on the PATH.

    Raises `ProgramMissingError`.
    """
    named = os.environ.get("TERTULIA_BIN")
    found = shutil.which(named) if named else shutil.which("tertulia")
    if found is None:
        raise ProgramMissingError(f"TERTULIA_BIN is {named}, which is not a program" if named else MISSING)
    return found
