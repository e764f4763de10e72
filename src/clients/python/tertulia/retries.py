"""When a failed call is repeated: plain decisions without input and output."""

from __future__ import annotations

import email.utils
import enum
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

FIRST_WAIT = 0.25
"""The longest wait before the first repetition, in seconds. It doubles with each further one."""
LONGEST_WAIT = 10.0
"""The longest wait before a repetition, in seconds."""

FINAL = ("dead-lettered", "secret-not-shared")
"""The codes of failures that no repetition changes."""


class Repeatable(enum.Enum):
    """Whether a call may reach the service twice."""

    ALWAYS = "always"
    """The call changes nothing, sets a value, or has a key."""
    UNLESS_SENT = "unless-sent"
    """The call acts each time it arrives."""


class Failure(enum.Enum):
    """How an attempt failed without an answer."""

    NOT_SENT = "not-sent"
    """No connection was made."""
    LOST = "lost"
    """The request may have arrived."""


@dataclass(frozen=True)
class Answer:
    """What decides in an answer with an error."""

    status: int
    code: str = ""


def may_repeat(repeatable: Repeatable, failed: Failure | Answer) -> bool:
    """Whether the call may be sent again."""
    if isinstance(failed, Failure):
        return failed is Failure.NOT_SENT or repeatable is Repeatable.ALWAYS
    if failed.code in FINAL:
        return False
    # The service did not begin.
    if failed.status in (429, 503) or failed.code == "key-in-use":
        return True
    return repeatable is Repeatable.ALWAYS and (failed.status >= 500 or failed.status in (408, 425))


def wait_before(attempt: int, retry_after: float | None = None, chance: Callable[[], float] = random.random) -> float:
    """Returns how many seconds to wait before repetition number `attempt`, from 1.

    The wait is any part of a limit that doubles (full jitter). `retry_after` is waited in addition, so that callers who
    were refused together do not return together.
    """
    limit = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt - 1, 16))
    if retry_after is not None:
        return retry_after + chance() * min(limit, 1.0)
    return chance() * limit


def retry_wait(
    attempt: int, retry_after: float | None, spread: float | None, chance: Callable[[], float] = random.random
) -> float:
    """Returns how many seconds to wait before a lost stream is opened again, for the attempt with this number, from 1.

    `spread` is the wait that the server proposed; the first wait is any part of it.
    """
    if attempt == 1 and retry_after is None and spread is not None:
        return chance() * spread
    return wait_before(attempt, retry_after, chance)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Returns the seconds of a `Retry-After`, which may be a number or a date; `None` if it is absent or unreadable."""
    value = headers.get("retry-after")
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=timezone.utc)
    return max(0.0, (until - (now or datetime.now(timezone.utc))).total_seconds())
