"""Pushes to many subscribers: as many as there are at once, or ten a second."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import events
from benchmarks.cases.case import LOOPS, SERVERS, Figure, Sample, Tools, losses
from benchmarks.errors import MeasurementFailed
from benchmarks.load_client import LoadClient
from benchmarks.peers import Peer
from benchmarks.pushing import Pusher

# What a server still does after the last subscriber is in is not measured.
_SETTLE_S = 0.5
# A server that first takes all pushes and then sends may be silent for long.
_QUIET_S = 30.0


@dataclass(frozen=True)
class Burst:
    """All pushes at once; each subscriber has one topic, each push goes to one at random."""

    name: str
    title: str
    subscribers: int
    pushes: int
    topics: int = 1
    unit: str = "events/s"
    peers: Sequence[str] = SERVERS + LOOPS

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("rate", self.title, self.unit, more_is_better=True)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        expected = self.pushes * self.subscribers // self.topics
        with LoadClient(tools.load, peer.address, self.subscribers, self.topics) as load:
            pusher = peer.pusher()
            prepared = pusher.prepare(events.burst(self.pushes, self.topics))
            time.sleep(_SETTLE_S)
            load.count(expected, _QUIET_S)
            since_ns = time.monotonic_ns()
            pusher.send(prepared)
            counted = load.counted()
            pusher.close()
        if not counted.received:
            raise MeasurementFailed("no event arrived")
        rate = counted.received * 1e9 / (counted.last_ns - since_ns)
        return Sample({"rate": rate}, losses(counted, expected))


@dataclass(frozen=True)
class Paced:
    """A push from time to time to all subscribers: how old an event is when it has come."""

    name: str
    title: str
    subscribers: int
    seconds: float
    pushes_per_s: float = 10.0
    peers: Sequence[str] = (*SERVERS, "bare")

    @property
    def figures(self) -> Sequence[Figure]:
        return [
            Figure("p50", f"{self.title}: p50", "ms", more_is_better=False),
            Figure("p99", f"{self.title}: p99", "ms", more_is_better=False),
        ]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        pushes = int(self.seconds * self.pushes_per_s)
        with LoadClient(tools.load, peer.address, self.subscribers) as load:
            pusher = peer.pusher()
            time.sleep(_SETTLE_S)
            load.count(pushes * self.subscribers, latencies=True)
            push_paced(pusher, pushes, self.pushes_per_s)
            counted = load.counted()
            pusher.close()
        if not counted.received:
            raise MeasurementFailed("no event arrived")
        values = {"p50": counted.p50_us / 1000, "p99": counted.p99_us / 1000}
        return Sample(values, losses(counted, pushes * self.subscribers))


def push_paced(pusher: Pusher, pushes: int, pushes_per_s: float) -> None:
    """Push one by one to the first topic, at even distances."""
    start = time.monotonic()
    for number in range(pushes):
        time.sleep(max(0.0, start + number / pushes_per_s - time.monotonic()))
        event = events.event(number + 1, time.monotonic_ns())
        pusher.send(pusher.prepare([(events.topic(0), event)]))
