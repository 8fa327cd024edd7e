"""A publish server in a thread, on ports of its own, and raw ZMQ peers for it."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from stork_node.clock import SuspendAwareClock
from stork_node.engines.embedded import EmbeddedEngine
from stork_node.engines.interface import Engine
from stork_node.publish_server import PublishServer, PublishServerSettings
from stork_node.push_log import SegmentLog
from stork_node.webhooks.settings import WebhookSettings

DEADLINE_S = 20.0
_REFUSALS = {
    zmq.Event.HANDSHAKE_FAILED_AUTH,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.DISCONNECTED,
}
ANY = "tcp://127.0.0.1:*"


_NEW_FOLDER = Path()


def settings(**chosen: Any) -> PublishServerSettings:
    """Settings on free ports, with quick heartbeats, and a log that lasts as long as the server."""
    defaults = {"pull": ANY, "router": ANY, "pub": ANY, "replay": ANY, "heartbeat_s": 0.05, "data": _NEW_FOLDER}
    return PublishServerSettings(**(defaults | chosen))


@contextmanager
def serving(
    chosen: PublishServerSettings | None = None,
    log: SegmentLog | None = None,
    engine: Engine | None = None,
    webhooks: Sequence[WebhookSettings] = (),
) -> Iterator[PublishServer]:
    """A publish server that serves; stopped, and its thread joined, at the end."""
    chosen = chosen or settings()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.data == _NEW_FOLDER:
            chosen = replace(chosen, data=Path(folder))
        server = PublishServer(
            chosen, engine or (EmbeddedEngine(log, SuspendAwareClock(3.0, 0.0).now) if log else None), webhooks
        )
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def wait_for(fact: Callable[[], object], what: str) -> None:
    """Wait until ``fact()`` is true; fails at the deadline."""
    give_up_at = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < give_up_at, f"{what} did not come about in {DEADLINE_S:.0f} s"
        time.sleep(0.002)


@contextmanager
def peer(kind: int, endpoint: str, prepare: Callable[["zmq.Socket[bytes]"], None] | None = None) -> "Iterator[Peer]":
    """A socket of a context of its own, connected to ``endpoint``; receiving has a deadline."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    socket.linger = 0
    socket.rcvtimeo = socket.sndtimeo = int(DEADLINE_S * 1000)
    if kind == zmq.SUB:
        socket.subscribe(b"stork ")
    if prepare:
        prepare(socket)
    socket.connect(endpoint)
    try:
        yield socket
    finally:
        context.destroy(linger=0)


Peer = zmq.Socket[bytes]


def is_refused(kind: int, endpoint: str, prepare: Callable[["zmq.Socket[bytes]"], None] | None = None) -> bool:
    """Whether the server ends the handshake; False if it completes it."""
    monitors: list[Peer] = []

    def watch(socket: Peer) -> None:
        if prepare:
            prepare(socket)
        monitors.append(socket.get_monitor_socket())
        monitors[0].rcvtimeo = int(DEADLINE_S * 1000)

    with peer(kind, endpoint, watch) as socket:
        try:
            while True:
                event = recv_monitor_message(monitors[0])["event"]
                if event == zmq.Event.HANDSHAKE_SUCCEEDED:
                    return False
                if event in _REFUSALS:
                    return True
        finally:
            socket.disable_monitor()
