"""Peers whose subscribers speak Pusher's protocol: each has a private channel, and signs for it."""

import hashlib
import hmac
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.events import Event
from benchmarks.load_client import Address
from benchmarks.peers.peer import Peer
from benchmarks.peers.stork import Stork
from benchmarks.processes import free_ports
from benchmarks.pushing import StreamPusher, ZmqPusher
from benchmarks.tools import cargo_install

KEY, SECRET = "bench-key", "bench-secret"
_PROTOCOL = "?protocol=7&client=bench&version=1.0"
_BATCH = 10


def address(port: int) -> Address:
    return Address(port, f"/app/{KEY}{_PROTOCOL}", "pusher", f"{KEY}:{SECRET}")


def _channel(topic: str) -> str:
    return f"private-{topic.removeprefix('v1.')}"


class StorkPusher(Stork):
    """The same node as ``Stork``; a backend pushes to it in the same way."""

    name = "stork-pusher"
    label = "Stork node, Pusher's protocol"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._environ |= {"PUSHER_APP_ID": "1", "PUSHER_APP_KEY": KEY, "PUSHER_APP_SECRET": SECRET}

    def start_node(self, name: str) -> Address:
        return address(super().start_node(name).port)

    def pusher(self) -> "_ChannelPusher":
        return _ChannelPusher(self.push_port)


class _ChannelPusher(ZmqPusher):
    def prepare(self, events: Sequence[Event]) -> list[bytes]:
        return super().prepare([(f"pusher.{_channel(topic)}", event) for topic, event in events])


class Sockudo(Peer):
    """
    Pushed to by its HTTP API, in batches where several events wait. (Soketi cannot be installed from npm alone: one of
    its parts comes from a repository.)
    """

    name = "sockudo"
    label = "Sockudo"
    _program: Path

    @classmethod
    def install(cls) -> None:
        cls._program = cargo_install("sockudo", cls.version(), "--no-default-features", "--features", "local")

    @classmethod
    def version(cls) -> str:
        return "5.2.0"

    def start(self) -> None:
        [self.push_port] = free_ports(1)
        path = self.configure("sockudo.json", port=self.push_port, key=KEY, secret=SECRET)
        self.run("sockudo", self._program, "--config", path).wait_for_port(self.push_port)
        self.address = address(self.push_port)

    def pusher(self) -> StreamPusher:
        return StreamPusher(self.push_port, _encode)


def _encode(events: Sequence[Event]) -> bytes:
    """Requests of Pusher's HTTP API."""
    batches = [events[at : at + _BATCH] for at in range(0, len(events), _BATCH)]
    return b"".join(_request(msgspec.json.encode({"batch": list(map(_item, batch))})) for batch in batches)


def _item(event: Event) -> dict[str, str]:
    return {"channel": _channel(event[0]), "name": "bench", "data": event[1].decode()}


def _request(body: bytes) -> bytes:
    path = "/apps/1/batch_events"
    query = (
        f"auth_key={KEY}&auth_timestamp={int(time.time())}&auth_version=1.0"
        f"&body_md5={hashlib.md5(body, usedforsecurity=False).hexdigest()}"
    )
    signature = hmac.new(SECRET.encode(), f"POST\n{path}\n{query}".encode(), "sha256").hexdigest()
    head = (
        f"POST {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: api\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
