"""
Sending on many sockets, with two threads.

What a push costs is the kernel's part of a send() for each connection, and while that runs the interpreter is free: a
second thread on another core sends half of them meanwhile.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from stork_crossbar.internals.broadcasting import Lane

# To wake the second thread costs as much as a few sends.
_LEAST_FOR_TWO = 50
# When nothing is left, the first thread waits for the parcel that the second is at.
_LANES_A_PARCEL = 25

Clock = Callable[[], float]


class Parcel:
    """
    One piece of bytes, which holds ``events`` frames, for a few connections.

    Attributes:
        sent_at: when it had been sent, by the sender's clock.
        left: the connections whose sockets did not take all of it, with the number of bytes that they took.
    """

    __slots__ = ("events", "lanes", "left", "piece", "sent_at")

    def __init__(self, lanes: Sequence[Lane], piece: bytes, events: int) -> None:
        self.lanes, self.piece, self.events = lanes, piece, events
        self.left: list[tuple[Lane, int]] = []
        self.sent_at = 0.0

    def send(self, clock: Clock) -> None:
        piece, size = self.piece, len(self.piece)
        for lane in self.lanes:
            sent = lane.send(piece)
            if sent != size:
                self.left.append((lane, sent))
        self.sent_at = clock()


def in_parcels(lanes: Sequence[Lane], piece: bytes, events: int) -> list[Parcel]:
    """The same for any number of connections."""
    return [
        Parcel(lanes[start : start + _LANES_A_PARCEL], piece, events) for start in range(0, len(lanes), _LANES_A_PARCEL)
    ]


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Sender:
    """
    Sends parcels: when ``send`` returns, both threads are done with them.

    No connection may be in two parcels of one call, as either may be sent first.
    """

    def __init__(self, clock: Clock, cores: int | None = None) -> None:
        self._clock = clock
        self._has_cores = (cores or _cores()) > 1
        self._offers: SimpleQueue[tuple[Iterator[Parcel], threading.Lock]] = SimpleQueue()
        self._helper: threading.Thread | None = None

    def send(self, parcels: Sequence[Parcel]) -> None:
        # Both take the next one from it: a list's iterator gives each to one of them.
        waiting = iter(parcels)
        if self._has_cores and sum(len(parcel.lanes) for parcel in parcels) >= _LEAST_FOR_TWO:
            self._send_with_helper(waiting)
        else:
            self._send_all(waiting)

    def _send_with_helper(self, waiting: Iterator[Parcel]) -> None:
        if self._helper is None:
            self._helper = threading.Thread(target=self._help, name="sender", daemon=True)
            self._helper.start()
        helped = threading.Lock()
        helped.acquire()
        self._offers.put((waiting, helped))
        self._send_all(waiting)
        try:
            self._offers.get_nowait()  # it was not woken in time: nothing is left to do for it
        except Empty:
            helped.acquire()

    def _help(self) -> None:
        while True:
            waiting, helped = self._offers.get()
            self._send_all(waiting)
            helped.release()

    def _send_all(self, waiting: Iterator[Parcel]) -> None:
        for parcel in waiting:
            parcel.send(self._clock)
