"""
Sending on many sockets, with two threads.

What a push costs is the kernel's part of a send() for each connection, and while that runs the interpreter is free: a
second thread on another core sends half of them meanwhile.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from stork_crossbar.internals.broadcasting import DirectConnection

# To wake the second thread costs as much as a few sends.
_LEAST_FOR_TWO = 50
# When nothing is left, the first thread waits for the batch that the second is at.
_CONNECTIONS_A_BATCH = 25

Clock = Callable[[], float]


class SendBatch:
    """
    One payload of bytes, which holds ``events`` frames, for a few connections.

    Attributes:
        sent_at: when it had been sent, by the sender's clock.
        left: the connections whose sockets did not take all of it, with the number of bytes that they took.
    """

    __slots__ = ("connections", "events", "left", "payload", "sent_at")

    def __init__(self, connections: Sequence[DirectConnection], payload: bytes, events: int) -> None:
        self.connections, self.payload, self.events = connections, payload, events
        self.left: list[tuple[DirectConnection, int]] = []
        self.sent_at = 0.0

    def send(self, clock: Clock) -> None:
        payload, size = self.payload, len(self.payload)
        for connection in self.connections:
            sent = connection.send(payload)
            if sent != size:
                self.left.append((connection, sent))
        self.sent_at = clock()


def in_batches(connections: Sequence[DirectConnection], payload: bytes, events: int) -> list[SendBatch]:
    """The same for any number of connections."""
    return [
        SendBatch(connections[start : start + _CONNECTIONS_A_BATCH], payload, events)
        for start in range(0, len(connections), _CONNECTIONS_A_BATCH)
    ]


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Sender:
    """
    Sends batches: when ``send`` returns, both threads are done with them.

    No connection may be in two batches of one call, as either may be sent first.
    """

    def __init__(self, clock: Clock, cores: int | None = None) -> None:
        self._clock = clock
        self._has_cores = (cores or _cores()) > 1
        self._offers: SimpleQueue[tuple[Iterator[SendBatch], threading.Lock]] = SimpleQueue()
        self._helper: threading.Thread | None = None

    def send(self, batches: Sequence[SendBatch]) -> None:
        # Both take the next one from it: a list's iterator gives each to one of them.
        waiting = iter(batches)
        if self._has_cores and sum(len(batch.connections) for batch in batches) >= _LEAST_FOR_TWO:
            self._send_with_helper(waiting)
        else:
            self._send_all(waiting)

    def _send_with_helper(self, waiting: Iterator[SendBatch]) -> None:
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

    def _send_all(self, waiting: Iterator[SendBatch]) -> None:
        for batch in waiting:
            batch.send(self._clock)
