"""Sessions that get no more events, while their connections are being closed."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from autobahn.exception import Disconnected
from autobahn.wamp.exception import TransportLost
from twisted.logger import Logger

from stork_crossbar.connections import closing
from stork_crossbar.internals.broadcasting import session_id

# All at once would have all of them back at once: so many a turn at least, and as many as the time given demands.
_LEAST_A_TURN = 100
_PAUSE_S = 0.1
_SPREAD_S = 2.0


class Closing:
    """
    ``session in closing.sessions`` is whether it gets nothing more.

    Args:
        break_spread_s: the longest time that a break of many connections takes.
    """

    log = Logger()

    def __init__(self, reactor: Any, break_spread_s: float) -> None:
        self._reactor, self._break_spread_s = reactor, break_spread_s
        self.sessions: set[Any] = set()

    def ids(self) -> list[int]:
        """Their ids."""
        return [id for session in self.sessions if (id := session_id(session))]

    def add(self, session: Any) -> None:
        """The connection has been cut."""
        self.sessions.add(session)

    def close(self, sessions: Iterable[Any], code: int, reason: str) -> None:
        """As ``end`` after a break: their connections are closed with a code, and without GOODBYE."""
        self.end(sessions, partial(closing.close_session, code=code, reason=reason), is_break=True)

    def end(self, sessions: Iterable[Any], end: Callable[[Any], None], *, is_break: bool = False) -> None:
        """
        Nothing more for these from now on; ``end`` is called for one after the other.

        Args:
            is_break: it may take ``break_spread_s``, since other nodes break at the same time; else two seconds.
        """
        ending = [session for session in sessions if session not in self.sessions]
        self.sessions.update(ending)
        self.pace(ending, end, self._break_spread_s if is_break else _SPREAD_S)

    def pace(self, items: Iterable[Any], do: Callable[[Any], None], spread_s: float = _SPREAD_S) -> None:
        """Call ``do`` for one after the other, over ``spread_s`` at most; few are done in less time."""
        queue = deque(items)
        turns = max(1, round(spread_s / _PAUSE_S))
        self._do_some(queue, max(_LEAST_A_TURN, -(-len(queue) // turns)), do)

    def forget(self, is_attached: Callable[[Any], bool]) -> None:
        """Sessions that have left the router are not closing any more."""
        self.sessions = {session for session in self.sessions if is_attached(session)}

    def _do_some(self, queue: deque[Any], number: int, do: Callable[[Any], None]) -> None:
        for _ in range(min(number, len(queue))):
            try:
                do(queue.popleft())
            except (TransportLost, Disconnected):
                pass  # it has closed itself
            except Exception:
                self.log.failure("a connection could not be closed")
        if queue:
            self._reactor.callLater(_PAUSE_S, self._do_some, queue, number, do)
