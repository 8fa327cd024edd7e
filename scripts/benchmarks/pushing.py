"""Pushing as a backend would: prepared first, so that only what a server does with it is measured."""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

import zmq

from benchmarks.events import Event


class Pusher(Protocol):
    """Anything that can send events; ``prepare`` costs time, ``send`` as little as can be."""

    def prepare(self, events: Sequence[Event]) -> Any: ...

    def send(self, prepared: Any) -> None: ...

    def close(self) -> None: ...


class StreamPusher:
    """
    Pushes over a TCP connection; answers are read and thrown away.

    Args:
        port: of 127.0.0.1.
        encode: events to the bytes of their requests.
        greeting: what is sent first.
    """

    def __init__(self, port: int, encode: Callable[[Sequence[Event]], bytes], greeting: bytes = b"") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._encode = encode
        self._socket.sendall(greeting)
        threading.Thread(target=self._drain, daemon=True).start()

    def prepare(self, events: Sequence[Event]) -> bytes:
        return self._encode(events)

    def send(self, prepared: bytes) -> None:
        self._socket.sendall(prepared)

    def close(self) -> None:
        self._socket.close()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(1 << 16):
                pass


class ZmqPusher:
    """Push documents (docs/delivery.md#push-document) on a PUSH socket, as ``Publisher(answered=False)`` sends them."""

    def __init__(self, port: int) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        self._socket.sndhwm = 0
        self._socket.connect(f"tcp://127.0.0.1:{port}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, events: Sequence[Event]) -> list[bytes]:
        return [push_document(topic, event) for topic, event in events]

    def send(self, prepared: list[bytes]) -> None:
        for document in prepared:
            self._socket.send(document)

    def close(self) -> None:
        self._socket.close(linger=0)


def push_document(topic: str, event: bytes, *, id: str | None = None) -> bytes:
    """The push that brings subscribers exactly this event object."""
    with_id = b'"id":"%b",' % id.encode() if id else b""
    return b'{"topics":["%b"],%b%b' % (topic.encode(), with_id, event[1:])
