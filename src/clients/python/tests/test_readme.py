"""The README shows the examples as they are, and names what there is."""

import importlib
import inspect
import pathlib
import pkgutil
import re
from collections.abc import Iterator

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


def public() -> Iterator[tuple[str, object]]:
    """What users may see: modules, classes, methods and functions without an underscore, except the generated types."""
    for module in pkgutil.walk_packages(tertulia.__path__, "tertulia."):
        there = importlib.import_module(module.name) if "__main__" not in module.name else None
        if there is None or module.name == "tertulia.models":
            continue
        yield module.name, there
        for name, value in vars(there).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.name:
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{module.name}.{name}", value
            if inspect.isclass(value):
                for member, method in vars(value).items():
                    is_method = inspect.isfunction(method) or isinstance(method, property)
                    if is_method and not member.startswith("_"):
                        yield f"{module.name}.{name}.{member}", method


def test_everything_public_is_documented() -> None:
    things = dict(public())
    assert len(things) > 300
    assert [name for name, thing in things.items() if not inspect.getdoc(thing)] == []


def test_the_tables_of_other_sdks_name_methods_that_there_are() -> None:
    there = {name for kind in [*ROWS.values(), tertulia.Bot, tertulia] for name in vars(kind)}
    _, _, tables = README.partition("## Coming from an SDK")
    rows = [line.split("|")[2] for line in tables.splitlines() if line.startswith("| ") and "|---" not in line]
    named = {name for row in rows for name in re.findall(r"(\w+)\(", row)}
    assert len(named) > 20
    assert named <= there
