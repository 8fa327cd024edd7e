"""A WAMP client over ``websockets`` or RawSocket: independent of autobahn, and shows what is on the wire."""

import hashlib
import hmac
import itertools
import json
import socket
import ssl
from base64 import b64encode
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import cbor2
import msgpack
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import connect
from websockets.typing import Subprotocol

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, EVENT = 16, 17, 32, 33, 34, 35, 36
CALL, RESULT, REGISTER, REGISTERED, INVOCATION, YIELD = 48, 50, 64, 65, 68, 70

_ROLES = {
    "subscriber": {"features": {"pattern_based_subscription": True}},
    "publisher": {},
    "caller": {},
    "callee": {},
}


def _dump_batch(message: Any) -> str:
    return json.dumps(message) + "\x18"


def _load_batch(text: str) -> Any:
    return json.loads(text.removesuffix("\x18"))


# Encoder, decoder, and the number in RawSocket's handshake.
_SERIALIZERS: dict[str, tuple[Any, Any, int]] = {
    "json": (json.dumps, json.loads, 1),
    "msgpack": (msgpack.packb, msgpack.unpackb, 2),
    "json.batched": (_dump_batch, _load_batch, 0),
    "cbor": (cbor2.dumps, cbor2.loads, 3),
}


class RawSocket:
    """WAMP's RawSocket on ``rs://host:port``, with as much of the interface of ``websockets`` as ``Client`` uses."""

    def __init__(self, url: str, serializer: str, timeout_s: float) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port or 0), timeout_s)
        self.socket.sendall(bytes((0x7F, 0xF0 | _SERIALIZERS[serializer][2], 0, 0)))
        assert self._read(4)[0] == 0x7F

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionError:
                more = b""
            if not more:
                raise ConnectionClosedError(None, None)
            data += more
        return data

    def recv(self, timeout_s: float) -> bytes:
        self.socket.settimeout(timeout_s)
        return self._read(int.from_bytes(self._read(4), "big"))

    def send(self, message: str | bytes) -> None:
        data = message.encode() if isinstance(message, str) else message
        self.socket.sendall(len(data).to_bytes(4, "big") + data)

    def close(self) -> None:
        self.socket.close()


class Aborted(Exception):
    def __init__(self, uri: str, details: dict[str, Any]) -> None:
        super().__init__(uri, details)
        self.uri, self.details = uri, details


class Closed(Exception):
    """The socket was closed; ``code`` as a WebSocket client sees it (1006 without a close frame)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Refused(Exception):
    """An ERROR in answer to a request."""

    def __init__(self, uri: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        super().__init__(uri, args)
        self.uri, self.args_, self.kwargs = uri, args, kwargs


class Client:
    """
    Args:
        url: ``ws://``, ``wss://`` (whoever answers), or ``rs://host:port`` for RawSocket.
        serializer: json, msgpack, cbor, or json.batched.
        options: for ``websockets``.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float = 20.0,
        headers: dict[str, str] | list[tuple[str, str]] | None = None,
        *,
        serializer: str = "json",
        **options: Any,
    ) -> None:
        self.timeout_s = timeout_s
        self._encode, self._decode, _ = _SERIALIZERS[serializer]
        self.received: str | bytes = ""
        """The last message as it came."""
        if url.startswith("rs:"):
            self._socket: Any = RawSocket(url, serializer, timeout_s)
        else:
            context = ssl._create_unverified_context() if url.startswith("wss:") else None
            options = {"max_size": None, "compression": None, "ssl": context, **options}
            protocols = [Subprotocol(f"wamp.2.{serializer}")]
            self._socket = connect(url, subprotocols=protocols, additional_headers=headers, **options)
        self._ids = itertools.count(1)
        self._events: deque[list[Any]] = deque()
        self.procedures: dict[int, Any] = {}
        self.welcome: dict[str, Any] = {}
        self.session_id = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def ping(self) -> bool:
        """Whether a WebSocket ping is answered in time."""
        answered: bool = self._socket.ping().wait(self.timeout_s)
        return answered

    def send(self, *message: Any) -> None:
        self._socket.send(self._encode(message))

    def send_text(self, text: str) -> None:
        self._socket.send(text)

    def receive(self, timeout_s: float | None = None) -> list[Any]:
        try:
            self.received = self._socket.recv(timeout_s or self.timeout_s)
        except ConnectionClosed as closed:
            raise Closed(closed.rcvd.code if closed.rcvd else 1006, closed.rcvd.reason if closed.rcvd else "") from None
        message: list[Any] = self._decode(self.received)
        return message

    def receive_all(self) -> None:
        """Read until the connection is closed, which raises ``Closed``."""
        while True:
            self.receive()

    def join(
        self,
        ticket: str | None = None,
        authid: str | None = None,
        *,
        secret: str | None = None,
        realm: str = "realm1",
        authmethods: list[str] | None = None,
        roles: dict[str, Any] | None = None,
    ) -> "Client":
        details: dict[str, Any] = {"roles": roles or _ROLES}
        if authmethods is None:
            authmethods = ["wampcra"] if secret is not None else ["ticket"] if ticket is not None else []
        if authmethods:
            details["authmethods"] = authmethods
        if authid is not None:
            details["authid"] = authid
        self.send(HELLO, realm, details)
        message = self.receive()
        if message[0] == CHALLENGE:
            self.send(AUTHENTICATE, self._signature(ticket, secret, message[2]), {})
            message = self.receive()
        if message[0] == ABORT:
            raise Aborted(message[2], message[1])
        assert message[0] == WELCOME, message
        self.session_id, self.welcome = message[1], message[2]
        return self

    @staticmethod
    def _signature(ticket: str | None, secret: str | None, extra: dict[str, Any]) -> str:
        if secret is None:
            return ticket or ""
        digest = hmac.new(secret.encode(), extra["challenge"].encode(), hashlib.sha256).digest()
        return b64encode(digest).decode()

    def request(self, kind: int, *rest: Any) -> list[Any]:
        """Send a request and wait for its answer; events and invocations that come meanwhile are kept or served."""
        request_id = next(self._ids)
        self.send(kind, request_id, *rest)
        while True:
            message = self.receive()
            if message[0] == EVENT:
                self._events.append(message)
            elif message[0] == INVOCATION:
                self._serve(message)
            elif message[0] == ERROR and message[1:3] == [kind, request_id]:
                raise Refused(message[4], (message[5:6] or [[]])[0], (message[6:7] or [{}])[0])
            elif message[1] == request_id:
                return message

    def subscribe(self, topic: str, match: str | None = None) -> int:
        return int(self.request(SUBSCRIBE, {"match": match} if match else {}, topic)[2])

    def unsubscribe(self, subscription: int) -> None:
        self.request(UNSUBSCRIBE, subscription)

    def publish(self, topic: str, *args: Any) -> None:
        self.request(PUBLISH, {"acknowledge": True}, topic, list(args))

    def register(self, uri: str, function: Any, **options: Any) -> int:
        registration = int(self.request(REGISTER, options, uri)[2])
        self.procedures[registration] = function
        return registration

    def unregister(self, registration: int) -> None:
        self.request(66, registration)

    def call(self, uri: str, *args: Any, **kwargs: Any) -> Any:
        message = self.request(CALL, {}, uri, list(args), kwargs)
        return message[3][0] if len(message) > 3 and message[3] else None

    def serve(self, invocations: int = 1, timeout_s: float | None = None) -> None:
        """Answer so many invocations of the procedures registered here."""
        while invocations:
            message = self.receive(timeout_s)
            if message[0] == INVOCATION:
                self._serve(message)
                invocations -= 1

    def _serve(self, message: list[Any]) -> None:
        args, kwargs = (message[4:5] or [[]])[0], (message[5:6] or [{}])[0]
        self.send(YIELD, message[1], {}, [self.procedures[message[2]](*args, **kwargs)])

    def event(self, timeout_s: float | None = None) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """The next event: subscription id, its first argument, its keyword arguments."""
        while not self._events:
            message = self.receive(timeout_s)
            if message[0] == EVENT:
                self._events.append(message)
            elif message[0] == INVOCATION:
                self._serve(message)
            else:
                raise AssertionError(f"an event was expected, and this came: {message}")
        message = self._events.popleft()
        return message[1], message[4][0], (message[5:6] or [{}])[0]
