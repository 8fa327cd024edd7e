"""
The entrance of clients: when descriptors run out, or one address has many, a client that has not joined is ended.

``opening.entering`` reports every connection of a client's transport here, with the transport that has its socket.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.logger import Logger

from stork_crossbar.http import refusals
from stork_crossbar.internals.deadlines import Deadlines
from stork_crossbar.limits import client_limits
from stork_crossbar.opening import handshake
from stork_crossbar.opening.descriptors import Descriptors
from stork_crossbar.opening.unjoined import Step, Unjoined
from stork_node.http.forwarded import client_network
from stork_node.http.heads import Refusal
from stork_node.limits.places import OF_ADDRESS, Places

FULL = Refusal(503, "this node is full, try again later", "descriptors")
FIRST_STEP_S = 30.0
"""The time in which a client must end its TLS handshake and send its first request."""
# The part of the reserve in which a refused client gets the time to read the refusal.
_LINGERING = 0.5
_FULL_FOR_S = 10.0
_GIVE_WAY = "the descriptors are used up (raise ulimit -n): connections that have not joined give way to new ones"
_REFUSED = "clients are refused: the descriptors are used up, and all who hold one have joined (raise ulimit -n)"

_log = Logger()


def _most_of_one_address() -> int:
    return client_limits.limits().unjoined_connections


class Entrance:
    """
    Args:
        clock: Twisted's.
        descriptors: counts the used descriptors.
    """

    def __init__(self, clock: Any, descriptors: Descriptors | None = None) -> None:
        self._clock, self._descriptors = clock, descriptors or Descriptors(clock.seconds)
        self._end_now: Callable[[Any], None] = lambda transport: transport.abortConnection()
        self._clients: set[Any] = set()
        self._giving_way: set[Any] = set()
        self._unjoined: Unjoined[Any] = Unjoined(_most_of_one_address)
        self._places: Places[Any] = Places(
            lambda: client_limits.limits().connections, lambda: client_limits.limits().connections_per_address
        )
        self._first_steps = Deadlines(clock, FIRST_STEP_S)
        self._deadlines: dict[Any, int] = {}
        self._full_until = 0.0

    @property
    def is_full(self) -> bool:
        """Whether a client was ended or refused for lack of descriptors a moment ago."""
        return bool(self._clock.seconds() < self._full_until)

    def end_by(self, end: Callable[[Any], None]) -> None:
        """End connections with ``end``; without it they are reset."""
        self._end_now = end

    def enter(self, transport: Any, *, has_own_deadline: bool = False) -> float:
        """
        A client has connected.

        Args:
            has_own_deadline: its protocol has a deadline of its own for a silent client.

        Returns:
            0 if there is room. Otherwise the used part of the reserve, up to 1: the client must be refused.
        """
        self._clients.add(transport)
        over = self._descriptors.over(transport.fileno(), len(self._clients))
        missing = over - len(self._giving_way)
        while missing > 0 and self.make_room():
            missing -= 1
        if missing > 0:
            self._note_full(_REFUSED)
            return over / self._descriptors.reserved
        host = transport.getPeer().host
        address = None if handshake.is_trusted(host) else client_network(host)
        if not has_own_deadline:
            self._deadlines[transport] = self._first_steps.set(lambda: self._cut_silent(transport))
        self._end_one_of(address, self._unjoined.add(transport, address))
        return 0.0

    def make_room(self, may_end: Callable[[Any], bool] = lambda _: True) -> bool:
        """End the connection that has waited longest for its next step; False if none may be ended."""
        oldest = next((each for each in self._unjoined if may_end(each)), None)
        if oldest is None:
            return False
        self._note_full(_GIVE_WAY)
        client_limits.bounds().counters.limited["descriptors"] += 1
        self._end(oldest)
        return True

    def step(self, transport: Any, step: Step) -> None:
        self._cancel_deadline(transport)
        self._unjoined.take_step(transport, step)

    def belongs_to(self, transport: Any, host: str) -> None:
        """A trusted balancer has named the address of this client."""
        address = client_network(host)
        self._end_one_of(address, self._unjoined.belongs_to(transport, address))

    def has_place(self, transport: Any, host: str | None) -> bool:
        """
        Whether there is room for a client whose WebSocket or RawSocket is open; then it has a place until it is gone.

        Args:
            host: the client's address, if a trusted balancer has named it.
        """
        if transport not in self._clients:  # the node's own
            return True
        host = host or transport.getPeer().host
        address = None if handshake.is_trusted(host) else client_network(host)
        limit = self._places.take(transport, address)
        if limit is not None:
            client_limits.note(limit, f"{address}" if limit == OF_ADDRESS else "this node")
        return limit is None

    def gone(self, transport: Any) -> None:
        self._clients.discard(transport)
        self._places.free(transport)
        self._giving_way.discard(transport)
        self.leave(transport)

    def leave(self, transport: Any) -> None:
        """The client has joined, or waits for the answer to its ticket: it is not ended for others."""
        self._cancel_deadline(transport)
        self._unjoined.remove(transport)

    def lingers(self, used: float) -> bool:
        """Whether a refused client may keep its descriptor until it has read the refusal."""
        return used <= _LINGERING

    def _end_one_of(self, address: str | None, oldest: Any) -> None:
        if oldest is None:
            return
        client_limits.bounds().counters.limited["unjoined_connections"] += 1
        most = _most_of_one_address()
        sentence = f"{address} has more than {most} connections that have not joined: the oldest give way"
        _log.warn("{sentence}", sentence=sentence, _about="unjoined_connections")
        self._end(oldest)

    def _note_full(self, sentence: str) -> None:
        self._full_until = self._clock.seconds() + _FULL_FOR_S
        refusals.say("descriptors", sentence)

    def _cut_silent(self, transport: Any) -> None:
        refusals.count("slow_request")
        self._end(transport)

    def _end(self, transport: Any) -> None:
        self.leave(transport)
        self._giving_way.add(transport)
        self._end_now(transport)

    def _cancel_deadline(self, transport: Any) -> None:
        number = self._deadlines.pop(transport, None)
        if number is not None:
            self._first_steps.cancel(number)


entrance = Entrance(reactor)
"""The entrance of this process, which has one router."""
