"""One request to the gateway, before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .retries import Repeatable

@dataclass(frozen=True)
class Upload:
    """A file in a form."""

    name: str
    content: bytes
    media_type: str | None
    fields: Mapping[str, str]
    """The other fields of the form."""


@dataclass(frozen=True)
class Request:
    """A request. `path` is encoded and begins with a slash."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    json: Any = None
    content: bytes | None = None
    upload: Upload | None = None
    headers: tuple[tuple[str, str], ...] = ()
    key: str | None = None
    """The `Idempotency-Key`."""
    is_single: bool = False
    """Whether the first answer counts, so that nothing is repeated."""
    is_forwarded: bool = False
    """Whether another service of the platform answers, whose answers are not problems of the gateway."""

    @property
    def repeatable(self) -> Repeatable:
        """Whether the request may arrive twice."""
        if self.key is not None or self.method in ("GET", "HEAD", "OPTIONS"):
            return Repeatable.ALWAYS
        if self.method == "DELETE" and not self.is_forwarded:
            return Repeatable.ALWAYS
        return Repeatable.UNLESS_SENT


def path(*segments: str) -> str:
    """Returns the path of these segments, each encoded.

    Raises `ValueError` for a segment that cannot be in a path.
    """
    for segment in segments:
        if segment in ("", ".", ".."):
            raise ValueError(f"{segment!r} is not an id")
    return "/" + "/".join(quote(segment, safe="~") for segment in segments)


def query(**parameters: Any) -> tuple[tuple[str, str], ...]:
    """Returns the parameters without those that are `None`; a list of texts becomes several parameters."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if value is None:
            continue
        if isinstance(value, bool):
            pairs.append((name, "true" if value else "false"))
        elif isinstance(value, (str, int)):
            pairs.append((name, str(value)))
        else:
            pairs += [(name, str(each)) for each in value]
    return tuple(pairs)


def given(**members: Any) -> dict[str, Any]:
    """Returns the members of a body without those that are `None`."""
    return {name: value for name, value in members.items() if value is not None}
