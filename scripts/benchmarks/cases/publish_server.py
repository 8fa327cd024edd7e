"""The publish server alone: what it stores and answers, stores and publishes, and replays (docs/delivery.md)."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import zmq

from benchmarks import events
from benchmarks.cases.case import Figure, Sample, Tools
from benchmarks.errors import MeasurementFailed
from benchmarks.peers import Peer
from benchmarks.peers.engine import OnRedis
from benchmarks.peers.stork import Bus, Stork
from benchmarks.pushing import ZmqPusher, push_document
from stork_node.protocol import bus, replay

EMBEDDED_AND_ENGINES = ("publish-server", "redis", "redis-replica", "redis-two")
_PATIENCE_MS = 30_000
_ALL = 1 << 40


@dataclass(frozen=True)
class Answered:
    """
    One DEALER for each server, with so many answers outstanding in all. Each push has an id of its own, as those of
    ``Publisher`` have.
    """

    name: str
    title: str
    pushes: int
    outstanding: int = 1_000
    peers: Sequence[str] = EMBEDDED_AND_ENGINES
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("rate", f"{self.title}: stored and answered", "pushes/s", more_is_better=True, goal=30_000)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        pushes = [push_document(*event, id=f"bench-{number}") for number, event in enumerate(events.burst(self.pushes))]
        sockets = [connect(zmq.DEALER, bus.router) for bus in buses_of(peer)]
        in_turn = cycle(sockets)
        since = time.monotonic()
        for push, socket in zip(pushes[: self.outstanding], in_turn, strict=False):
            socket.send(push)
        for push, socket in zip(pushes[self.outstanding :], in_turn, strict=False):
            require_ok(receive(socket))
            socket.send(push)
        for _, socket in zip(pushes[: self.outstanding], in_turn, strict=False):
            require_ok(receive(socket))
        seconds = time.monotonic() - since
        for socket in sockets:
            socket.close(linger=0)
        return Sample({"rate": self.pushes / seconds})


@dataclass(frozen=True)
class Stored:
    """
    One PUSH socket for each server, as fast as it goes, until the last push has come on the bus: it is stored before.
    """

    name: str
    title: str
    pushes: int
    peers: Sequence[str] = EMBEDDED_AND_ENGINES
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("rate", f"{self.title}: stored and published", "pushes/s", more_is_better=True, goal=50_000)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        pushers = [ZmqPusher(bus.pull) for bus in buses_of(peer)]
        pushes = pushers[0].prepare(events.burst(self.pushes))
        follower = connect(zmq.SUB, bus_of(peer).pub, lambda socket: socket.subscribe(bus.PREFIX))
        receive(follower)  # a heartbeat: it follows
        since = time.monotonic()
        for first, pusher in enumerate(pushers):
            pusher.send(pushes[first :: len(pushers)])
        left = self.pushes
        while left:
            left -= receive(follower).startswith(b"stork 1 push ")
        seconds = time.monotonic() - since
        follower.close(linger=0)
        for pusher in pushers:
            pusher.close()
        return Sample({"rate": self.pushes / seconds})


@dataclass(frozen=True)
class Replayed:
    """A relay that has missed everything: it asks page after page, and reads each frame as a relay does."""

    name: str
    title: str
    pushes: int
    peers: Sequence[str] = EMBEDDED_AND_ENGINES
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("time", f"{self.title}: replayed to a relay", "s", more_is_better=False, goal=10)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        socket = connect(zmq.DEALER, bus_of(peer).replay)
        header = _ask(socket, replay.ReplayRequest(epoch="", after=0, run="", keep_s=0, keep_bytes=0)).header
        after, tail = header.tail, header.tail + self.pushes
        pusher = peer.pusher()
        pusher.send(pusher.prepare(events.burst(self.pushes)))
        _wait_until_stored(bus_of(peer), tail)
        pusher.close()
        since, frames = time.monotonic(), 0
        while after < tail:
            page = _ask(socket, replay.ReplayRequest(header.epoch, after, header.run, keep_s=_ALL, keep_bytes=_ALL))
            if page.header.after != after:
                raise MeasurementFailed(f"the page after {after} begins after {page.header.after}")
            frames += sum(isinstance(bus.decode_frame(frame), bus.PushFrame) for frame in page.frames)
            after = page.header.last
        seconds = time.monotonic() - since
        socket.close(linger=0)
        return Sample({"time": seconds}, "" if frames == self.pushes else f"{frames:,} of {self.pushes:,} pushes came")


def bus_of(peer: Peer) -> Bus:
    assert isinstance(peer, Stork)
    return peer.bus


def buses_of(peer: Peer) -> list[Bus]:
    """The ports of each publish server of a peer."""
    return peer.buses if isinstance(peer, OnRedis) else [bus_of(peer)]


def connect(kind: int, port: int, prepare: Callable[[Any], None] = lambda _: None) -> "zmq.Socket[bytes]":
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.sndhwm = socket.rcvhwm = 0
    socket.rcvtimeo = _PATIENCE_MS
    prepare(socket)
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket


def receive(socket: "zmq.Socket[bytes]") -> bytes:
    try:
        return socket.recv()
    except zmq.Again:
        raise MeasurementFailed(f"the publish server said nothing for {_PATIENCE_MS // 1000} s") from None


def require_ok(answer: bytes) -> None:
    if not answer.startswith(b'{"ok":true'):
        raise MeasurementFailed(f"a push was refused: {answer.decode(errors='replace')}")


def _ask(socket: "zmq.Socket[bytes]", request: replay.ReplayRequest) -> replay.Page:
    socket.send(replay.encode_request(request))
    try:
        return replay.decode_answer(socket.recv_multipart())
    except zmq.Again:
        raise MeasurementFailed(f"no page within {_PATIENCE_MS // 1000} s") from None


def _wait_until_stored(bus_: Bus, tail: int) -> None:
    socket = connect(zmq.DEALER, bus_.router)
    sequence, before = 0, -1
    while sequence < tail:
        if sequence == before:
            raise MeasurementFailed(f"only {sequence:,} pushes are stored, {tail:,} should be")
        time.sleep(1.0)
        socket.send(b'{"position":true}')
        before, sequence = sequence, int(json.loads(receive(socket))["position"].rpartition(":")[2])
    socket.close(linger=0)
