"""Large answers: one in each turn of the reactor, and only to sessions with little unsent data."""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

LITTLE_BYTES = 64 * 1024
"""A session with more unsent bytes than this has to read them before it gets the next answer."""
_LOOK_S = 0.05


class Answering:
    """
    Args:
        waiting_bytes: the number of unsent bytes of a session, by its id.
    """

    def __init__(self, reactor: IReactorTime, waiting_bytes: Callable[[int], int]) -> None:
        self._reactor, self._waiting_bytes = reactor, waiting_bytes
        # The sessions in the order of service, each with its requests.
        self._asked: dict[int, deque[defer.Deferred[None]]] = {}
        self._next: Any = None

    def turn(self, session_id: int) -> "defer.Deferred[None]":
        """Fires in a later turn of the reactor, in which no other answer is made."""
        turn: defer.Deferred[None] = defer.Deferred()
        self._asked.setdefault(session_id, deque()).append(turn)
        self._run_in(0.0)
        return turn

    def __len__(self) -> int:
        return sum(map(len, self._asked.values()))

    def _run_in(self, in_s: float) -> None:
        if self._next is None:
            self._next = self._reactor.callLater(in_s, self._run)
        elif self._next.getTime() > self._reactor.seconds() + in_s:
            self._next.reset(in_s)

    def _run(self) -> None:
        self._next = None
        session_id = next((each for each in self._asked if self._waiting_bytes(each) <= LITTLE_BYTES), None)
        if session_id is None:
            self._run_in(_LOOK_S)
            return
        turns = self._asked.pop(session_id)
        turn = turns.popleft()
        if turns:
            self._asked[session_id] = turns  # behind the others
        if self._asked:
            self._run_in(0.0)
        turn.callback(None)
