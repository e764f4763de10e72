"""Which position is safe while events are handled in another order than they were read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(eq=False)
class Ticket:
    """An event that was read."""

    cursor: str
    is_finished: bool = False


class Progress:
    """The events that were read, from the first that is not finished, in the order of the log."""

    def __init__(self) -> None:
        self._tickets: deque[Ticket] = deque()
        self.position: str | None = None
        """The cursor before which every event is finished; `None` if nothing is known yet."""

    @property
    def size(self) -> int:
        """How many events are not finished, or are after one that is not."""
        return len(self._tickets)

    def begin(self, cursor: str) -> Ticket:
        """An event was read."""
        ticket = Ticket(cursor)
        self._tickets.append(ticket)
        return ticket

    def finish(self, ticket: Ticket) -> None:
        """An event is finished."""
        ticket.is_finished = True
        self._advance()

    def move(self, cursor: str) -> None:
        """The stream moved past events that are not for this reader."""
        if self._tickets and self._tickets[-1].is_finished:
            self._tickets[-1].cursor = cursor
        else:
            self._tickets.append(Ticket(cursor, is_finished=True))
        self._advance()

    def _advance(self) -> None:
        while self._tickets and self._tickets[0].is_finished:
            self.position = self._tickets.popleft().cursor
