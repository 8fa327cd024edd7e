"""A publish server whose test says what it does: real sockets, and a log that can be told to lie."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import zmq

from stork_node.protocol.bus import encode_erase_frame, encode_heartbeat, encode_push_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.protocol.replay import PageHeader, ReplayRequest, decode_request, encode_page, encode_refusal

_HEARTBEAT_S = 0.1
NOW = "2026-01-31T12:00:00.000Z"


class ScriptedPublishServer:
    """
    Answers replay from ``frames`` (by number) in a thread, and sends heartbeats.

    Attributes:
        replay: its endpoint.
        epoch, run, tail, floor: what pages and heartbeats say.
        frames: what pages hold.
        answers: whether requests are answered.
        lie: what is answered in place of a page, if anything.
        requests: what was asked, in order.
    """

    def __init__(self, pub: str, replay: str, *, epoch: str = "scripted", tail: int = 0) -> None:
        self.epoch, self.run, self.tail, self.floor = epoch, "run1", tail, 0
        self.replay = replay
        self.frames: dict[int, bytes] = {}
        self.answers = self.beats = True
        self.requests: list[ReplayRequest] = []
        self.lie: Callable[[ReplayRequest], Sequence[bytes]] | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pub, self._replay_socket = self._context.socket(zmq.PUB), self._context.socket(zmq.ROUTER)
        self._pub.bind(pub)
        self._replay_socket.bind(replay)
        self._lock = threading.Lock()  # sockets are not for two threads at once
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "ScriptedPublishServer":
        self._thread.start()
        return self

    def __exit__(self, _type: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def store(self, topic: str, data: Any = None) -> bytes:
        """Number and keep a push, and do not publish it; returns its frame."""
        with self._lock:
            self.tail += 1
            push = Push((topic,), "t", json.dumps(data).encode(), NOW)
            frame = encode_push_frame(Position(self.epoch, self.tail), self.run, push)
            self.frames[self.tail] = frame
        return frame

    def push(self, topic: str, data: Any = None) -> None:
        self.send(self.store(topic, data))

    def erase(self, topic: str) -> None:
        with self._lock:
            self.tail += 1
            frame = encode_erase_frame(Position(self.epoch, self.tail), self.run, topic)
            self.frames[self.tail] = frame
        self.send(frame)

    def send(self, *message: bytes) -> None:
        """Any message on the bus."""
        with self._lock:
            self._pub.send_multipart(message)

    def begin(self, epoch: str, run: str, tail: int = 0) -> None:
        """Another epoch or run, with an empty log that ends at ``tail``."""
        with self._lock:
            self.epoch, self.run, self.tail, self.floor, self.frames = epoch, run, tail, tail, {}

    def forget(self, floor: int) -> None:
        """Retention: the log begins after ``floor``."""
        with self._lock:
            self.floor = floor
            self.frames = {number: frame for number, frame in self.frames.items() if number > floor}

    def _serve(self) -> None:
        beat_at = 0.0
        while not self._closing.wait(0.005):
            with self._lock:
                if self.beats and time.monotonic() >= beat_at:
                    beat_at = time.monotonic() + _HEARTBEAT_S
                    self._pub.send(encode_heartbeat(Position(self.epoch, self.tail), self.run, NOW, {}))
                if self._replay_socket.poll(0):
                    peer, request = self._replay_socket.recv_multipart()
                    self._answer(peer, decode_request(request))

    def _answer(self, peer: bytes, request: ReplayRequest) -> None:
        self.requests.append(request)
        if not self.answers:
            return
        if self.lie:
            self._replay_socket.send_multipart([peer, *self.lie(request)])
            return
        if request.epoch == self.epoch and request.run == self.run and request.after > self.tail:
            self._replay_socket.send_multipart([peer, *encode_refusal("a position that this log never gave")])
            return
        after = max(self.floor, request.after if request.epoch == self.epoch else 0)
        last = min(after + 100, self.tail)
        frames: Sequence[bytes] = [self.frames[n] for n in range(after + 1, last + 1) if n in self.frames]
        header = PageHeader(self.epoch, self.run, self.floor, self.tail, after, last)
        self._replay_socket.send_multipart([peer, *encode_page(header, frames)])
