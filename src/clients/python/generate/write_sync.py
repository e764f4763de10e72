"""Writes the modules of `tertulia/sync` from their asynchronous originals.

    python generate/write_sync.py
"""

import pathlib
import re

PACKAGE = pathlib.Path(__file__).parent.parent / "tertulia"
MODULES = ("administration", "client", "connection", "conversation", "event", "gateway", "platform_service", "stream")
OWN = (*MODULES, "positions")

WORDS = {
    "AsyncClient": "Client",
    "AsyncIterator": "Iterator",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aread": "read",
    "aiter_raw": "iter_raw",
    "asynccontextmanager": "contextmanager",
    "asyncio": "time",
}

PHRASES = (
    (r"\n( *)# async only: begin\n.*?# async only: end\n", "\n"),
    (r"[^\n]*# async only\n", ""),
    (r" \| AsyncCursor|AsyncCursor, ", ""),
    (r"\basync (?=def|for|with)", ""),
    (r"\bawait ", ""),
    (r"\bimport asyncio\n", ""),
)


def sync_text(module: str) -> str:
    """Returns the synchronous form of a module."""
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    for pattern, replacement in PHRASES:
        text = re.sub(pattern, replacement, text, flags=re.DOTALL if "begin" in pattern else 0)
    for word, replacement in WORDS.items():
        text = re.sub(rf"\b{word}\b", replacement, text)
    text = re.sub(r"^from \.(?=\w)(?!(?:" + "|".join(OWN) + r")\b)", "from ..", text, flags=re.MULTILINE)
    text = text.replace("from . import models, positions\n", "from .. import models\nfrom . import positions\n")
    text = text.replace("from . import retries\n", "from .. import retries\n")
    text = text.replace("from . import models\n", "from .. import models\n")
    about, rest = text.split("\n", 1)
    return f"{about}\n# Written by generate/write_sync.py from tertulia/{module}.py; a test compares both.\n{rest}"


def main() -> None:
    for module in MODULES:
        (PACKAGE / "sync" / f"{module}.py").write_text(sync_text(module), encoding="utf-8")


if __name__ == "__main__":
    main()
