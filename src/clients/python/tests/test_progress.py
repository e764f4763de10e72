"""Positions and keys of a bot."""

import random

import pytest
from tertulia.keys import LONGEST_READER, DerivedKeys, RandomKeys, check_reader
from tertulia.progress import Progress


def test_the_position_never_passes_an_event_that_is_not_finished() -> None:
    progress = Progress()
    assert progress.position is None
    one, two, three = progress.begin("1"), progress.begin("2"), progress.begin("3")
    progress.finish(two)
    progress.finish(three)
    assert progress.size == 3
    assert progress.position is None
    progress.finish(one)
    assert progress.size == 0
    assert progress.position == "3"


def test_a_move_waits_for_the_events_before_it() -> None:
    progress = Progress()
    progress.move("0")
    assert progress.position == "0"
    one = progress.begin("1")
    progress.move("5")
    progress.move("6")
    assert progress.position == "0"
    progress.finish(one)
    assert progress.position == "6"


def test_any_order_of_ends_gives_the_lowest_unfinished_event() -> None:
    chance = random.Random(7)
    for _ in range(50):
        progress = Progress()
        tickets = {number: progress.begin(str(number)) for number in range(20)}
        while tickets:
            number = chance.choice(list(tickets))
            progress.finish(tickets.pop(number))
            lowest = min(tickets, default=20)
            assert progress.position == (str(lowest - 1) if lowest else None)
            assert progress.size == 20 - lowest


def test_derived_keys_count_each_kind_of_command_from_the_beginning() -> None:
    def three() -> list[str]:
        keys = DerivedKeys("6617c87a89b21-108")
        return [keys.next("messages"), keys.next("close"), keys.next("messages")]

    assert three() == ["6617c87a89b21-108/0", "6617c87a89b21-108/close/0", "6617c87a89b21-108/1"]
    assert three() == three()
    assert DerivedKeys("a-1", "second").next("messages") == "second/a-1/0"


def test_random_keys_differ() -> None:
    keys = RandomKeys()
    assert len({keys.next("messages") for _ in range(1_000)}) == 1_000


def test_the_longest_key_fits() -> None:
    keys = DerivedKeys("6617c87a89b21-9999999999999", "x" * LONGEST_READER)
    assert len(keys.next("consumer-takeover")) == 64


@pytest.mark.parametrize("name", ["", "two words", "x" * (LONGEST_READER + 1), "Grüße", "a\n"])
def test_a_name_that_does_not_fit_into_a_key_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        check_reader(name)
