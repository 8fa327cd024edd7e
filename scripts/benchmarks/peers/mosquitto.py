"""mosquitto over WebSocket: MQTT 3.1.1 with quality of service 0, pushed to over TCP."""

import subprocess
from collections.abc import Sequence

from benchmarks.events import Event
from benchmarks.load_client import Address
from benchmarks.peers.peer import Peer, program, version_in
from benchmarks.processes import free_ports
from benchmarks.pushing import StreamPusher
from benchmarks.tools import Package, run

_SECRET = "bench-secret"


class Mosquitto(Peer):
    name = "mosquitto"
    label = "mosquitto"
    packages = (Package("mosquitto", "mosquitto"),)

    @classmethod
    def version(cls) -> str:
        # Its help, which names the version, ends with status 3.
        said = subprocess.run([program("mosquitto"), "-h"], capture_output=True, text=True, check=False)
        return version_in(said.stdout)

    def start(self) -> None:
        self.push_port, port = free_ports(2)
        passwords = self.folder / "passwords"
        passwords.write_text(f"frontend:{_SECRET}\nbackend:{_SECRET}\n")
        run(["mosquitto_passwd", "-U", str(passwords)], "mosquitto_passwd could not hash the passwords")
        path = self.configure(
            "mosquitto.conf",
            port=self.push_port,
            websocket_port=port,
            passwords=passwords,
            acl=self.configure("mosquitto.acl"),
        )
        self.run("mosquitto", program("mosquitto"), "-c", path).wait_for_port(port)
        self.address = Address(port, "/", "mqtt", _SECRET)

    def pusher(self) -> StreamPusher:
        greeting = _packet(
            0x10, b"\0\4MQTT\4\xc2\0\0" + _string(b"backend") + _string(b"backend") + _string(_SECRET.encode())
        )
        return StreamPusher(self.push_port, _encode, greeting)


def _encode(events: Sequence[Event]) -> bytes:
    return b"".join(_packet(0x30, _string(topic.encode()) + event) for topic, event in events)


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _packet(kind: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (128 if left else 0))
        if not left:
            return bytes([kind]) + bytes(length) + body
