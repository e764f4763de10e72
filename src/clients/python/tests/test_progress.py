"""Positions and keys of a bot."""

import random

from tertulia.keys import DerivedKeys, RandomKeys
from tertulia.progress import Progress


def test_the_position_never_passes_an_event_that_is_not_finished() -> None:
    progress = Progress()
    assert progress.position is None
    one, two, three = progress.begin("1"), progress.begin("2"), progress.begin("3")
    progress.finish(two)
    progress.finish(three)
    assert progress.unfinished == 1
    assert progress.position is None
    progress.finish(one)
    assert progress.unfinished == 0
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
            assert progress.unfinished == len(tickets)


def test_derived_keys_count_each_kind_of_command_from_the_beginning() -> None:
    def three() -> list[str]:
        keys = DerivedKeys("6617c87a89b21-108")
        return [keys.next("messages"), keys.next("close"), keys.next("messages")]

    assert three() == ["6617c87a89b21-108/1", "6617c87a89b21-108/close/1", "6617c87a89b21-108/2"]
    assert three() == three()


def test_random_keys_differ() -> None:
    keys = RandomKeys()
    assert len({keys.next("messages") for _ in range(1_000)}) == 1_000
