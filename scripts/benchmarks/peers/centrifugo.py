"""Centrifugo: pushed to by its HTTP API, in batches where several events wait."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.events import Event
from benchmarks.load_client import Address
from benchmarks.peers.json_web_token import sign
from benchmarks.peers.peer import Peer
from benchmarks.processes import free_ports
from benchmarks.pushing import StreamPusher
from benchmarks.tools import go_install

_SECRET = "bench-secret"
_MODULE, _VERSION = "github.com/centrifugal/centrifugo/v6", "v6.9.1"
_BATCH = 100


class Centrifugo(Peer):
    name = "centrifugo"
    label = "Centrifugo"
    _program: ClassVar[Path]

    @classmethod
    def install(cls) -> None:
        cls._program = go_install(_MODULE, _VERSION)

    @classmethod
    def version(cls) -> str:
        return _VERSION.removeprefix("v")

    def start(self) -> None:
        port, self.push_port = free_ports(2)
        path = self.configure("centrifugo.json", port=port, internal_port=self.push_port, secret=_SECRET)
        self.run("centrifugo", self._program, "-c", path).wait_for_port(port)
        self.address = Address(port, "/connection/websocket", "centrifugo", sign({"sub": "frontend"}, _SECRET))

    def pusher(self) -> StreamPusher:
        return StreamPusher(self.push_port, _encode)

    def http_push(self, topic: str, event: bytes) -> tuple[str, str, bytes]:
        return f"http://127.0.0.1:{self.push_port}/api/publish", _SECRET, _publication((topic, event))


def _encode(events: Sequence[Event]) -> bytes:
    if len(events) == 1:
        return _request("publish", _publication(events[0]))
    batches = [events[at : at + _BATCH] for at in range(0, len(events), _BATCH)]
    return b"".join(
        _request("batch", b'{"commands":[%b]}' % b",".join(b'{"publish":%b}' % _publication(each) for each in batch))
        for batch in batches
    )


def _publication(event: Event) -> bytes:
    return b'{"channel":"%b","data":%b}' % (event[0].encode(), event[1])


def _request(method: str, body: bytes) -> bytes:
    head = f"POST /api/{method} HTTP/1.1\r\nHost: api\r\nX-API-Key: {_SECRET}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
