"""When peers are measured, and what they may make this process hold together."""

import time
from collections.abc import Container, Sequence

from stork_node.transport.peers import WatchedSocket

CHECK_S = 0.05
"""Between two checks: a peer on the same host sends some 50 MiB in that time."""
_SHARE = 20  # checks take a twentieth of all time at most
_SWEEP_S = 1.0


class PeerWatch:
    """
    Checks the peers of some sockets. Times are seconds of a clock that never goes back.

    Args:
        summed: sockets whose peers may make this process hold ``total_bytes`` together.
        shared: sockets on which the same bytes wait for all peers, so that they are not added up.
    """

    def __init__(self, summed: Sequence[WatchedSocket], shared: Sequence[WatchedSocket], total_bytes: int) -> None:
        self._summed, self._all, self._total_bytes = summed, [*summed, *shared], total_bytes
        self._check_at = self._sweep_at = 0.0

    def due(self, now: float) -> float | None:
        """Seconds until ``work`` has something to do; None where there are no peers."""
        return max(0.0, self._check_at - now) if any(socket.has_peers for socket in self._all) else None

    def work(self, now: float, ready: Container[object]) -> None:
        """
        Note who has come and gone; where it is time, measure all peers, and cut those that hold too much.

        ``ready``: the sockets that have something to be read, ``WatchedSocket.events`` among them.
        """
        for socket in self._all:
            if socket.events in ready:
                socket.take_events(now)
        if now < self._check_at:
            return
        began = time.thread_time()
        for socket in self._all:
            socket.check(now)
            if now >= self._sweep_at:
                socket.sweep()
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_S
        self._cut_what_is_too_much()
        self._check_at = now + max(CHECK_S, _SHARE * (time.thread_time() - began))

    def cuts(self) -> list[str]:
        """Why peers were cut since the last time."""
        found = [why for socket in self._all for why in socket.cuts]
        for socket in self._all:
            socket.cuts.clear()
        return found

    def strangers(self) -> list[tuple[str, WatchedSocket]]:
        """Why peers were refused for their key since the last time, and where."""
        found = [(why, socket) for socket in self._all for why in socket.strangers]
        for socket in self._all:
            socket.strangers.clear()
        return found

    def _cut_what_is_too_much(self) -> None:
        while self._summed:
            held = [(max((peer.held for peer in socket.peers), default=0), socket) for socket in self._summed]
            if sum(peer.held for socket in self._summed for peer in socket.peers) <= self._total_bytes:
                return
            max(held, key=lambda it: it[0])[1].cut_largest()
