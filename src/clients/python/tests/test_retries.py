"""When a call is repeated."""

from datetime import datetime, timezone

import pytest
from tertulia.retries import Answer, Failure, Repeatable, may_repeat, retry_after, retry_wait, wait_before

ALWAYS, UNLESS_SENT = Repeatable.ALWAYS, Repeatable.UNLESS_SENT

@pytest.mark.parametrize(
    ("failed", "if_repeatable", "if_not"),
    [
        (Failure.NOT_SENT, True, True),
        (Failure.LOST, True, False),
        (Answer(429, "overloaded"), True, True),
        (Answer(500, "internal"), True, False),
        (Answer(500, "dead-lettered"), False, False),
        (Answer(502, "platform-rejected"), True, False),
        (Answer(503, "not-connected"), True, True),
        (Answer(503, "secret-not-shared"), False, False),
        (Answer(504, "outcome-unknown"), True, False),
        (Answer(409, "key-in-use"), True, True),
        (Answer(409, "no-open-dialog"), False, False),
        (Answer(400, "bad-request"), False, False),
        (Answer(401, "unauthenticated"), False, False),
        (Answer(404, "unknown-conversation"), False, False),
        (Answer(422, "key-reused"), False, False),
    ],
)
def test_only_a_safe_call_is_repeated(failed: Failure | Answer, if_repeatable: bool, if_not: bool) -> None:
    assert may_repeat(ALWAYS, failed) is if_repeatable
    assert may_repeat(UNLESS_SENT, failed) is if_not


def test_waits_double_up_to_a_limit_and_any_part_of_them_is_waited() -> None:
    longest = [wait_before(attempt, chance=lambda: 1.0) for attempt in range(1, 9)]
    assert longest == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert wait_before(5, chance=lambda: 0.0) == 0.0
    assert wait_before(10_000, chance=lambda: 1.0) == 10.0
    assert wait_before(5, 7.0, chance=lambda: 0.0) == 7.0
    assert wait_before(5, 7.0, chance=lambda: 1.0) == 8.0


def test_a_lost_stream_returns_within_the_time_that_the_service_proposed() -> None:
    assert retry_wait(1, None, 2.5, chance=lambda: 1.0) == 2.5
    assert retry_wait(2, None, 2.5, chance=lambda: 1.0) == 0.5
    assert retry_wait(1, 4.0, 2.5, chance=lambda: 0.0) == 4.0


def test_retry_after_is_a_number_or_a_date() -> None:
    now = datetime(2026, 11, 30, 12, 0, 0, tzinfo=timezone.utc)
    assert retry_after({"retry-after": "3"}) == 3.0
    assert retry_after({"retry-after": "Mon, 30 Nov 2026 12:00:05 GMT"}, now) == 5.0
    assert retry_after({"retry-after": "Mon, 30 Nov 2026 11:00:00 GMT"}, now) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
