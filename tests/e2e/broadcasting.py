"""A node with a transport of every type, clients that do not read, and crowds of clients that do."""

import copy
import json
import re
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.gateway import TICKET, Node, free_ports
from tests.wamp import AUTHENTICATE, EVENT, HELLO, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED

_NAMES = ("websocket", "universal", "fragments", "rawsocket", "tls")


class Ports:
    """The public ports of a node's transports: ``url(name)``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = dict(zip(_NAMES, free_ports(len(_NAMES)), strict=True))

    def url(self, name: str, node: Node) -> str:
        if name == "web":
            return node.url
        scheme = {"rawsocket": "rs", "tls": "wss"}.get(name, "ws")
        return f"{scheme}://127.0.0.1:{self.ports[name]}/ws"

    def add(self, config: dict[str, Any]) -> None:
        """Changes config.json for a ``Deployment``."""
        transports = config["workers"][0]["transports"]
        web = transports[0]
        websocket = web["paths"]["ws"]
        ends = {name: {"type": "tcp", "port": port, "interface": "127.0.0.1"} for name, port in self.ports.items()}
        deflate = websocket["options"] | {"compression": {"deflate": {}}}
        fragments = websocket["options"] | {"auto_fragment_size": 100}
        rawsocket = {"serializers": ["json", "msgpack", "cbor"], "auth": websocket["auth"]}
        rawsocket["options"] = {"max_message_size": 16_777_216}
        tls = ends["tls"] | {"tls": self._certificate()}
        transports += [
            {**websocket, "id": "websocket", "endpoint": ends["websocket"], "options": deflate},
            {"type": "universal", "id": "universal", "endpoint": ends["universal"], "websocket": {"ws": websocket}},
            {**websocket, "id": "fragments", "endpoint": ends["fragments"], "options": fragments},
            {"type": "rawsocket", "id": "rawsocket", "endpoint": ends["rawsocket"], **rawsocket},
            {"type": "web", "id": "tls", "endpoint": tls, "paths": copy.deepcopy(web["paths"])},
        ]

    def _certificate(self) -> dict[str, str]:
        key, certificate = self._folder / "key.pem", self._folder / "certificate.pem"
        names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *names]
        subprocess.run(command, check=True, capture_output=True)
        return {"key": str(key), "certificate": str(certificate)}


class Sleeper:
    """A WebSocket or RawSocket client, in JSON, that subscribes to ``topic`` and then reads nothing until ``ended``."""

    def __init__(self, url: str, topic: str, ticket: str) -> None:
        scheme, host, port = re.fullmatch(r"(\w+)://(.*):(\d+)/ws", url).groups()
        self._is_raw = scheme == "rs"
        self._socket: Any = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(20)
        self._socket.connect((host, int(port)))
        if scheme == "wss":
            self._socket = ssl._create_unverified_context().wrap_socket(self._socket, suppress_ragged_eofs=False)
        if self._is_raw:
            self._socket.sendall(b"\x7f\xf1\0\0")
            assert self._read(4)[0] == 0x7F
        else:
            self._upgrade(f"{host}:{port}")
        self._say(HELLO, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]})
        self._hear()
        self._say(AUTHENTICATE, ticket, {})
        self._hear()
        self._say(SUBSCRIBE, 1, {}, topic)
        assert self._hear()[0] == SUBSCRIBED

    def ended(self, timeout_s: float = 30.0) -> bool:
        """Whether the connection is reset, within ``timeout_s`` of hearing nothing; what came before it is dropped."""
        self._socket.settimeout(timeout_s)
        try:
            while self._socket.recv(1024 * 1024):
                pass
        except (ConnectionError, ssl.SSLError):
            return True
        return False

    def close(self) -> None:
        self._socket.close()

    def _upgrade(self, host: str) -> None:
        lines = (
            "GET /ws HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: wamp.2.json",
        )
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        assert b" 101 " in head

    def _say(self, *message: Any) -> None:
        data = json.dumps(message).encode()
        if self._is_raw:
            head = len(data).to_bytes(4, "big")
        else:
            length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
            head = b"\x81" + length + bytes(4)  # masked with zeros, which is masked
        self._socket.sendall(head + data)

    def _hear(self) -> Any:
        if self._is_raw:
            return json.loads(self._read(int.from_bytes(self._read(4), "big")))
        size = self._read(2)[1]
        return json.loads(self._read(int.from_bytes(self._read(2), "big") if size == 126 else size))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            assert more
            data += more
        return data


class Reader:
    """A client of a crowd: joins, subscribes and notes the sequence of each event."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.sequences: list[int] = []
        self._subscription = 0

    @classmethod
    async def join(cls, url: str, topic: str, ticket: str = TICKET) -> "Reader":
        protocols = [Subprotocol("wamp.2.json")]
        reader = cls(await connect(url, subprotocols=protocols, max_size=None, compression=None, open_timeout=60))
        await reader._say(HELLO, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]})
        await reader._socket.recv()
        await reader._say(AUTHENTICATE, ticket, {})
        await reader._socket.recv()
        await reader._say(SUBSCRIBE, 1, {}, topic)
        kind, _, reader._subscription = json.loads(await reader._socket.recv())
        assert kind == SUBSCRIBED
        return reader

    async def read(self, events: int) -> None:
        for _ in range(events):
            await self._read()

    async def close(self) -> None:
        await self._socket.close()

    async def unsubscribe(self) -> None:
        await self._say(UNSUBSCRIBE, 2, self._subscription)
        while await self._read() != UNSUBSCRIBED:
            pass

    async def _read(self) -> int:
        message = json.loads(await self._socket.recv())
        if message[0] == EVENT:
            self.sequences.append(int(message[5]["position"].partition(":")[2]))
        return int(message[0])

    async def _say(self, *message: Any) -> None:
        await self._socket.send(json.dumps(message))
