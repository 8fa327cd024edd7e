"""The end of an HTTP connection: a deadline for each action of the client for which the node waits."""

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.tcp import Server
from twisted.protocols.policies import ProtocolWrapper

from stork_crossbar.http import refusals
from stork_crossbar.internals.deadlines import Deadlines

# The deadline for a client that has its last answer, and does not close its end.
FAREWELL_S = 2.0

_farewells = Deadlines(reactor, FAREWELL_S)
_by_seconds: dict[float, Deadlines] = {}


class Ending:
    """
    The deadlines of one connection; there is one at a time.

    Args:
        timeout_s: the time for a request, for reading an answer, and for the first byte of a request.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeouts = _deadlines(timeout_s)
        self._deadline: tuple[Deadlines, int] | None = None
        self._is_lost = False
        self.has_begun = False
        """Whether the connection reads and answers nothing more."""
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
        """
        Close the connection after all data is sent, within a deadline; ``has_eof``: the client has closed its end.
        """
        self.has_begun = True
        if isinstance(self.transport, Server) and not has_eof:
            # If the client still sends, closing at once would discard the answer.
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()
        self._set(self._timeouts, self.close_socket)

    def all_is_sent(self) -> None:
        """All data is sent: now the client has to close."""
        self._set(_farewells, self.close_socket)

    def close_socket(self) -> None:
        """Close without waiting for the client. The kernel still sends its data; the rest is dropped."""
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
