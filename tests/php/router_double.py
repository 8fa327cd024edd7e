"""A publish server's ROUTER on real libzmq, that answers as the contract says or as a test wants; and CURVE's keys."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

DEADLINE_S = 30


@dataclass(frozen=True)
class Arrival:
    """One message as the ROUTER got it: who sent it, and its frames."""

    peer: bytes
    frames: list[bytes]

    @property
    def document(self) -> Any:
        """The push document, or the question for a position."""
        (frame,) = self.frames
        return json.loads(frame)


Respond = Callable[["RouterDouble", Arrival], None]


def accept(server: RouterDouble, arrival: Arrival) -> None:
    """Numbers and stores, and answers as docs/delivery.md#answers says; an id seen before is a duplicate."""
    server.reply(arrival.peer, server.store(arrival.document))


def secret_key(secret: str, label: str) -> bytes:
    """The Curve25519 secret key of a label, Z85, as the contract derives it."""
    return z85.encode(hmac.new(secret.encode(), f"stork {label}".encode(), hashlib.sha256).digest())


def push_key(secret: str) -> str:
    """The 80 characters that let their holder push and not follow."""
    server = zmq.curve_public(secret_key(secret, "push server"))
    return (server + secret_key(secret, "push client")).decode()


class RouterDouble:
    """
    The double, in a thread of its own.

    Args:
        respond: called in that thread for each arrival, which is the last of `arrivals` then; answers with `reply`.
        port: 0 for a free one.
        secret: makes it a CURVE server that admits the push client's key only, by ZAP.
        heartbeat_ms: PING after so long, and cut a peer that does not answer in the same time again.
    """

    def __init__(
        self,
        respond: Respond = accept,
        *,
        port: int = 0,
        secret: str | None = None,
        heartbeat_ms: int = 0,
        socket_type: zmq.SocketType = zmq.ROUTER,
    ) -> None:
        self.respond = respond
        self.arrivals: list[Arrival] = []
        self.positions: dict[str, str] = {}
        self.undeclared: dict[str, str] = {}
        """The warning of each topic that nobody declares."""
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._context = zmq.Context()
        self._authenticator: ThreadAuthenticator | None = None
        self._socket = self._context.socket(socket_type)
        self._socket.linger = 0
        self._socket.sndhwm = self._socket.rcvhwm = 100_000
        if heartbeat_ms:
            self._socket.heartbeat_ivl = self._socket.heartbeat_timeout = heartbeat_ms
        if secret is not None:
            self._admit_only(zmq.curve_public(secret_key(secret, "push client")))
            self._socket.curve_secretkey = secret_key(secret, "push server")
            self._socket.curve_server = True
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        self.endpoint: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(self.endpoint.rsplit(":", 1)[1])
        self._stop, stopped = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        self._stop.bind("inproc://stop")
        stopped.connect("inproc://stop")
        self._thread = threading.Thread(target=self._serve, args=(stopped,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends it; every peer is cut, and what `respond` raised is raised here. A second time does nothing."""
        if self._context.closed:
            return
        with contextlib.suppress(zmq.Again):  # the thread has ended by itself
            self._stop.send(b"", zmq.NOBLOCK)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self._stop.close(0)
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.term()
        if self._failure is not None:
            raise self._failure

    def store(self, document: Any) -> dict[str, Any]:
        """Takes a push into the log of this double; the answer to it."""
        if "position" in document:
            return {"ok": True, "position": f"epoch:{len(self.positions)}"}
        known = self.positions.get(document["id"])
        if known is not None:
            return {"ok": True, "id": document["id"], "position": known, "duplicate": True}
        self.positions[document["id"]] = f"epoch:{len(self.positions) + 1}"
        answer = {"ok": True, "id": document["id"], "position": self.positions[document["id"]]}
        warnings = [self.undeclared[topic] for topic in document["topics"] if topic in self.undeclared]
        return answer | {"warning": warnings[0]} if warnings else answer

    def reply(self, peer: bytes, *frames: bytes | dict[str, Any]) -> None:
        """Sends one message to a peer; only from `respond`."""
        self._socket.send_multipart([peer, *(f if isinstance(f, bytes) else json.dumps(f).encode() for f in frames)])

    def loses_a_peer_within(self, milliseconds: int) -> bool:
        """Whether a connection ends, from either side, in this time; only from `respond`."""
        return bool(self._monitor.poll(milliseconds))

    def wait_for(self, count: int) -> list[Arrival]:
        """The arrivals, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrivals) >= count, DEADLINE_S), len(self.arrivals)
            return list(self.arrivals)

    @property
    def documents(self) -> list[Any]:
        """The documents that arrived, decoded."""
        return [arrival.document for arrival in self.arrivals]

    def _serve(self, stopped: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(stopped, zmq.POLLIN)
        try:
            while stopped not in dict(poller.poll()):
                peer, *frames = self._socket.recv_multipart()
                arrival = Arrival(peer, frames)
                with self._changed:
                    self.arrivals.append(arrival)
                    self._changed.notify_all()
                self.respond(self, arrival)
        except Exception as error:
            self._failure = error
        finally:
            stopped.close(0)

    def _admit_only(self, public: bytes) -> None:
        class Credentials:
            def callback(self, domain: str, key: bytes) -> bool:
                return key == public

        self._authenticator = ThreadAuthenticator(self._context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(domain="*", credentials_provider=Credentials())
        deadline = time.monotonic() + DEADLINE_S
        while not self._authenticator.is_alive():
            assert time.monotonic() < deadline
