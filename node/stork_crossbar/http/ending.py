"""How an HTTP connection ends: with a time for each thing that its client may keep the node waiting for."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.tcp import Server
from twisted.protocols.policies import ProtocolWrapper

from stork_crossbar.http import refusals
from stork_crossbar.internals.deadlines import Deadlines

# For a client that does not close its own end, when it has been answered for the last time.
FAREWELL_S = 2.0

_farewells = Deadlines(reactor, FAREWELL_S)
_by_seconds: dict[float, Deadlines] = {}


class Ending:
    """
    The deadlines of one connection; there is one at a time.

    Args:
        timeout_s: for a request, for a client that reads nothing of its answer, and for the first byte of a request.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeouts = _deadlines(timeout_s)
        self._deadline: tuple[Deadlines, int] | None = None
        self._is_lost = False
        self.has_begun = False
        """Whether nothing more is read or answered."""
        self.transport: Any = None

    def wait_for_first_byte(self) -> None:
        self._set(self._timeouts, self._give_up)

    def wait_for_request(self) -> None:
        self._set(self._timeouts, self._time_out)

    def wait_for_reader(self) -> None:
        self._set(self._timeouts, self._cut_slow_reader)

    def wait_for_nothing(self) -> None:
        if self._deadline is not None:
            deadlines, number = self._deadline
            deadlines.cancel(number)
            self._deadline = None

    def begin(self, *, has_eof: bool) -> None:
        """Close when all is sent, for which a client has its time; ``has_eof``: it has closed its own end."""
        self.has_begun = True
        if isinstance(self.transport, Server) and not has_eof:
            # Closing at once would throw away what is sent where the client still sends.
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()
        self._set(self._timeouts, self.close_socket)

    def all_is_sent(self) -> None:
        """It is the client's turn to close."""
        self._set(_farewells, self.close_socket)

    def close_socket(self) -> None:
        """Without waiting for the client; what the kernel has it still sends, and what it does not take is given up."""
        transport = self.transport
        while isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        transport.loseConnection()
        self._set(_farewells, self._cut_slow_reader)

    def lost(self) -> None:
        self.has_begun = self._is_lost = True
        self.wait_for_nothing()

    def _give_up(self) -> None:
        self.has_begun = True
        self.transport.loseConnection()
        self._set(_farewells, self.close_socket)

    def _time_out(self) -> None:
        refusals.count("slow_request")
        self._give_up()

    def _cut_slow_reader(self) -> None:
        refusals.count("slow_reader")
        self.transport.abortConnection()

    def _set(self, deadlines: Deadlines, expired: Callable[[], None]) -> None:
        self.wait_for_nothing()
        if not self._is_lost:
            self._deadline = (deadlines, deadlines.set(expired))


def _deadlines(seconds: float) -> Deadlines:
    if seconds not in _by_seconds:
        _by_seconds[seconds] = Deadlines(reactor, seconds)
    return _by_seconds[seconds]
