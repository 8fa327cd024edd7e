"""The publish server alone: what it stores and answers, stores and publishes, and replays (docs/delivery.md)."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import zmq

from benchmarks import events
from benchmarks.cases.case import Figure, Sample, Tools
from benchmarks.errors import MeasurementFailed
from benchmarks.peers import Peer
from benchmarks.peers.stork import Bus, Stork
from benchmarks.pushing import push_document
from stork_node.protocol import bus, replay

_PATIENCE_MS = 30_000
_ALL = 1 << 40


@dataclass(frozen=True)
class Answered:
    """One DEALER with so many answers outstanding, each push with an id of its own, as ``Publisher`` sends them."""

    name: str
    title: str
    pushes: int
    outstanding: int = 1_000
    peers: Sequence[str] = ("publish-server",)
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("rate", f"{self.title}: stored and answered", "pushes/s", more_is_better=True, goal=30_000)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        pushes = [push_document(*event, id=f"bench-{number}") for number, event in enumerate(events.burst(self.pushes))]
        socket = _connect(zmq.DEALER, _bus(peer).router)
        since = time.monotonic()
        for push in pushes[: self.outstanding]:
            socket.send(push)
        for push in pushes[self.outstanding :]:
            _require_ok(_receive(socket))
            socket.send(push)
        for _ in pushes[: self.outstanding]:
            _require_ok(_receive(socket))
        seconds = time.monotonic() - since
        socket.close(linger=0)
        return Sample({"rate": self.pushes / seconds})


@dataclass(frozen=True)
class Stored:
    """One PUSH socket as fast as it goes, until the last push has come on the bus: it is stored before that."""

    name: str
    title: str
    pushes: int
    peers: Sequence[str] = ("publish-server",)
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("rate", f"{self.title}: stored and published", "pushes/s", more_is_better=True, goal=50_000)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        pusher = peer.pusher()
        pushes = pusher.prepare(events.burst(self.pushes))
        follower = _connect(zmq.SUB, _bus(peer).pub, lambda socket: socket.subscribe(bus.PREFIX))
        _receive(follower)  # a heartbeat: it follows
        since = time.monotonic()
        pusher.send(pushes)
        left = self.pushes
        while left:
            left -= _receive(follower).startswith(b"stork 1 push ")
        seconds = time.monotonic() - since
        follower.close(linger=0)
        pusher.close()
        return Sample({"rate": self.pushes / seconds})


@dataclass(frozen=True)
class Replayed:
    """A relay that has missed everything: it asks page after page, and reads each frame as a relay does."""

    name: str
    title: str
    pushes: int
    peers: Sequence[str] = ("publish-server",)
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("time", f"{self.title}: replayed to a relay", "s", more_is_better=False, goal=10)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        socket = _connect(zmq.DEALER, _bus(peer).replay)
        header = _ask(socket, replay.ReplayRequest(epoch="", after=0, run="", keep_s=0, keep_bytes=0)).header
        after, tail = header.tail, header.tail + self.pushes
        pusher = peer.pusher()
        pusher.send(pusher.prepare(events.burst(self.pushes)))
        _wait_until_stored(_bus(peer), tail)
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


def _bus(peer: Peer) -> Bus:
    assert isinstance(peer, Stork)
    return peer.bus


def _connect(kind: int, port: int, prepare: Callable[[Any], None] = lambda _: None) -> "zmq.Socket[bytes]":
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.sndhwm = socket.rcvhwm = 0
    socket.rcvtimeo = _PATIENCE_MS
    prepare(socket)
    socket.connect(f"tcp://127.0.0.1:{port}")
    return socket


def _receive(socket: "zmq.Socket[bytes]") -> bytes:
    try:
        return socket.recv()
    except zmq.Again:
        raise MeasurementFailed(f"the publish server said nothing for {_PATIENCE_MS // 1000} s") from None


def _require_ok(answer: bytes) -> None:
    if not answer.startswith(b'{"ok":true'):
        raise MeasurementFailed(f"a push was refused: {answer.decode(errors='replace')}")


def _ask(socket: "zmq.Socket[bytes]", request: replay.ReplayRequest) -> replay.Page:
    socket.send(replay.encode_request(request))
    try:
        return replay.decode_answer(socket.recv_multipart())
    except zmq.Again:
        raise MeasurementFailed(f"no page within {_PATIENCE_MS // 1000} s") from None


def _wait_until_stored(bus_: Bus, tail: int) -> None:
    socket = _connect(zmq.DEALER, bus_.router)
    sequence, before = 0, -1
    while sequence < tail:
        if sequence == before:
            raise MeasurementFailed(f"only {sequence:,} pushes are stored, {tail:,} should be")
        time.sleep(1.0)
        socket.send(b'{"position":true}')
        before, sequence = sequence, int(json.loads(_receive(socket))["position"].rpartition(":")[2])
    socket.close(linger=0)
