"""Pushes that are sent and not yet answered: which answer belongs to which."""

from collections import deque
from collections.abc import Iterable

from stork_node.errors import PushRefused
from stork_node.protocol.answers import Answer, decode_answer


class Ticket:
    """One document that waits for its answer; ``id`` is None for a request of the position."""

    __slots__ = ("frame", "id", "outcome")

    def __init__(self, id: str | None, frame: bytes) -> None:
        self.id, self.frame = id, frame
        self.outcome: str | PushRefused | None = None
        """The position, or the refusal; None until there is an answer."""


class Outstanding:
    """
    The tickets of one connection, in the order in which their documents were sent.

    Answers find their ticket by the id, and by their order among equal ids: an answer to an attempt that was given up
    settles nothing.
    """

    def __init__(self, tickets: Iterable[Ticket] = ()) -> None:
        self._tickets: dict[Ticket, None] = {}
        self._by_id: dict[str | None, deque[Ticket]] = {}
        for ticket in tickets:
            self.add(ticket)

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        """The ticket's document is being sent."""
        self._tickets[ticket] = None
        self._by_id.setdefault(ticket.id, deque()).append(ticket)

    def frames(self) -> list[bytes]:
        """What to send again on a new connection, in order."""
        return [ticket.frame for ticket in self._tickets]

    def drop(self, ticket: Ticket) -> None:
        """Nobody waits for this answer any more."""
        if ticket in self._tickets:
            del self._tickets[ticket]
            waiting = self._by_id[ticket.id]
            waiting.remove(ticket)
            if not waiting:
                del self._by_id[ticket.id]

    def settle(self, frame: bytes) -> Ticket | None:
        """The ticket that an answer belongs to, with its outcome; None for one that nobody waits for."""
        answer = decode_answer(frame)
        waiting = None if answer is None else self._by_id.get(answer.id)
        if answer is None or not waiting:
            return None
        ticket = waiting[0]
        ticket.outcome = _outcome(answer)
        self.drop(ticket)
        return ticket


def _outcome(answer: Answer) -> str | PushRefused:
    return answer.position if answer.ok else PushRefused(answer.error, answer.reason)
