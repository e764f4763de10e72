"""The README shows the examples as they are, and names what there is."""

import pathlib
import re

import pytest
import tertulia
from tertulia.administration import BulkJob, DeadLetter, Node, Ring, Webhook

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = ("echo_bot.py", "llm_bot.py", "follow_events.py", "close_old.py", "test_echo.py")


def test_shows_every_example_as_it_is() -> None:
    shown = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert shown == [(ROOT / "examples" / name).read_text(encoding="utf-8") for name in EXAMPLES]
    assert {file.name for file in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


def test_the_bot_in_eight_lines_has_no_more() -> None:
    bot = (ROOT / "examples" / "echo_bot.py").read_text(encoding="utf-8")
    assert len([line for line in bot.splitlines() if line]) <= 8


ROWS = {
    "Tertulia(url, token)": tertulia.Tertulia,
    "tertulia.conversation(id)": tertulia.Conversation,
    "tertulia.connection(id)": tertulia.Connection,
    "tertulia.ring(id)": Ring,
    "tertulia.webhook(id)": Webhook,
    "tertulia.bulk_job(id)": BulkJob,
    "tertulia.dead_letter(id)": DeadLetter,
    "tertulia.node(id)": Node,
}


@pytest.mark.parametrize(("row", "kind"), ROWS.items())
def test_the_table_names_every_method(row: str, kind: type) -> None:
    line = next(line for line in README.splitlines() if line.startswith(f"| `{row}` |"))
    named = re.findall(r"`(\w+)`", line.split("|")[2])
    there = {name for name in vars(kind) if not name.startswith("_")}
    # The rows of their own name these.
    others = {"aclose"} | {re.split(r"[.(]", other)[1] for other in ROWS if kind is tertulia.Tertulia}
    assert set(named) == there - others


def test_every_error_is_named() -> None:
    errors = {name for name in tertulia.__all__ if name.endswith("Error")}
    assert errors - {"CursorError"} <= set(re.findall(r"\w+Error", README))
