"""The publish server where its log is on an engine: what one push waits, and what the end of a master costs."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import zmq

from benchmarks import events
from benchmarks.cases.case import Figure, Sample, Tools
from benchmarks.cases.publish_server import EMBEDDED_AND_ENGINES, bus_of, connect, receive, require_ok
from benchmarks.errors import MeasurementFailed
from benchmarks.peers import Peer
from benchmarks.peers.engine import OnSentinels
from benchmarks.pushing import push_document

_REPEAT_MS = 500
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class PushLatency:
    """One pusher, 10 pushes a second, each answered before the next."""

    name: str
    title: str
    seconds: int
    peers: Sequence[str] = EMBEDDED_AND_ENGINES
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [
            Figure("p50", f"{self.title}: answered, p50", "ms", more_is_better=False),
            Figure("p99", f"{self.title}: answered, p99", "ms", more_is_better=False),
        ]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        socket = connect(zmq.DEALER, bus_of(peer).router)
        took = []
        for number, event in enumerate(events.burst(10 * self.seconds)):
            time.sleep(0.1)
            since = time.monotonic()
            socket.send(push_document(*event, id=f"latency-{number}"))
            require_ok(receive(socket))
            took.append((time.monotonic() - since) * 1000)
        socket.close(linger=0)
        took.sort()
        return Sample({"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]})


@dataclass(frozen=True)
class KilledMaster:
    """kill -9 of the master, until the next push is answered; a pusher repeats it with its id."""

    name: str
    title: str
    peers: Sequence[str] = ("redis-sentinels",)
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [
            Figure("time", f"{self.title}: until the next answer", "s", more_is_better=False),
            Figure("beyond", f"{self.title}: of that after Sentinel's switch", "s", more_is_better=False, goal=5),
        ]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        assert isinstance(peer, OnSentinels)
        socket = connect(zmq.DEALER, bus_of(peer).router)
        [event] = events.burst(1)
        socket.send(push_document(*event, id="before"))
        require_ok(receive(socket))
        peer.kill_master()
        since, moved_at, ok = time.monotonic(), 0.0, False
        while not ok:
            if time.monotonic() - since > _PATIENCE_S:
                raise MeasurementFailed(f"no push was answered within {_PATIENCE_S:g} s")
            socket.send(push_document(*event, id="after"))
            give_up_at = time.monotonic() + _REPEAT_MS / 1000
            while not ok and time.monotonic() < give_up_at:
                if not moved_at and peer.has_moved():
                    moved_at = time.monotonic()
                if socket.poll(20):
                    ok = json.loads(socket.recv())["ok"]
        answered_at = time.monotonic()
        socket.close(linger=0)
        # Both are asked by turns: the answer may come before the switch was seen.
        return Sample({"time": answered_at - since, "beyond": max(0.01, answered_at - (moved_at or answered_at))})
