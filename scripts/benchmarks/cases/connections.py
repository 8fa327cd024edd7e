"""Connections themselves: how fast they come in, and what each one costs while nothing happens."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.cases.case import SERVERS, Figure, Sample, Tools
from benchmarks.load_client import LoadClient
from benchmarks.peers import Peer

_STEADY_S = 1.5
_STEADY_SHARE = 0.002
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Joins:
    """Connect, authenticate, subscribe: a hundred at a time on their way."""

    name: str
    title: str
    subscribers: int
    peers: Sequence[str] = (*SERVERS, "stork-jwt")

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("rate", self.title, "joins/s", more_is_better=True)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        with LoadClient(tools.load, peer.address, self.subscribers) as load:
            return Sample({"rate": self.subscribers / load.joined.seconds})


@dataclass(frozen=True)
class Idle:
    """Subscribers that nothing is pushed to: what the server's processes have grown by."""

    name: str
    title: str
    subscribers: int
    peers: Sequence[str] = SERVERS

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("memory", self.title, "KB each", more_is_better=False)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        before = _settled(peer.memory_bytes)
        with LoadClient(tools.load, peer.address, self.subscribers):
            after = _settled(peer.memory_bytes)
        return Sample({"memory": (after - before) / self.subscribers / 1000})


def _settled(value: Callable[[], int]) -> int:
    """A number once it has stopped to change, or after 15 s."""
    give_up_at = time.monotonic() + _PATIENCE_S
    last = value()
    while time.monotonic() < give_up_at:
        time.sleep(_STEADY_S)
        last, before = value(), last
        if abs(last - before) <= last * _STEADY_SHARE:
            break
    return last
