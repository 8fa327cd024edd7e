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

# All at once would have all of them back at once: so many a turn at least, and as many as it takes for two seconds.
_LEAST_A_TURN = 100
_TURNS = 20
_PAUSE_S = 0.1


class Closing:
    """``session in closing.sessions`` is whether it gets nothing more."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.sessions: set[Any] = set()

    def ids(self) -> list[int]:
        """Their ids."""
        return [id for session in self.sessions if (id := session_id(session))]

    def add(self, session: Any) -> None:
        """The connection has been cut."""
        self.sessions.add(session)

    def close(self, sessions: Iterable[Any], code: int, reason: str) -> None:
        """As ``end``: their connections are closed with a code, and without GOODBYE."""
        self.end(sessions, partial(closing.close_session, code=code, reason=reason))

    def end(self, sessions: Iterable[Any], end: Callable[[Any], None]) -> None:
        """Nothing more for these from now on; ``end`` is called for one after the other, over two seconds."""
        ending = [session for session in sessions if session not in self.sessions]
        self.sessions.update(ending)
        self.pace(ending, end)

    def pace(self, items: Iterable[Any], do: Callable[[Any], None]) -> None:
        """Call ``do`` for one after the other, over two seconds."""
        queue = deque(items)
        self._do_some(queue, max(_LEAST_A_TURN, -(-len(queue) // _TURNS)), do)

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
