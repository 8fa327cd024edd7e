"""NATS over WebSocket: pushed to by its own protocol over TCP."""

from collections.abc import Sequence

from benchmarks.events import Event
from benchmarks.load_client import Address
from benchmarks.peers.peer import Peer, program, version_in
from benchmarks.processes import free_ports
from benchmarks.pushing import StreamPusher
from benchmarks.tools import Package, run

_SECRET = "bench-secret"
_CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"user":"backend","pass":"%b"}\r\n' % _SECRET.encode()


class Nats(Peer):
    name = "nats"
    label = "NATS"
    packages = (Package("nats-server", "nats-server"),)

    @classmethod
    def version(cls) -> str:
        return version_in(run([program("nats-server"), "--version"], "nats-server does not run"))

    def start(self) -> None:
        self.push_port, port = free_ports(2)
        path = self.configure("nats.conf", port=self.push_port, websocket_port=port, secret=_SECRET)
        self.run("nats-server", program("nats-server"), "-c", path).wait_for_port(port)
        self.address = Address(port, "/", "nats", _SECRET)

    def pusher(self) -> StreamPusher:
        return StreamPusher(self.push_port, _encode, _CONNECT)


def _encode(events: Sequence[Event]) -> bytes:
    return b"".join(b"PUB %b %d\r\n%b\r\n" % (topic.encode(), len(event), event) for topic, event in events)
