"""A router's insides for the broadcaster: Crossbar's own subscriptions and protocols, on sockets, without a router."""

import itertools
import socket
import warnings
from types import SimpleNamespace
from typing import Any

import msgpack
from twisted.internet import task
from twisted.internet.tcp import Server

from stork_node.protocol.bus import PushFrame
from stork_node.protocol.positions import Position
from tests.wamp import EVENT

with warnings.catch_warnings():
    # What Crossbar imports is full of what is deprecated.
    warnings.simplefilter("ignore")
    import crossbar

    crossbar._import_serializers_quietly()
    from autobahn.wamp.serializer import JsonSerializer, MsgPackSerializer
    from crossbar.router.observation import UriObservationMap
    from crossbar.router.protocol import WampWebSocketServerProtocol
    from crossbar.router.session import RouterApplicationSession

    from stork_components import broadcaster as broadcaster_module
    from stork_components.broadcaster import Broadcaster, sending
    from stork_crossbar.internals import broadcasting as inside_module
    from stork_crossbar.internals import self_test

__all__ = [
    "Broadcaster",
    "Inside",
    "UriObservationMap",
    "WampWebSocketServerProtocol",
    "broadcaster_module",
    "inside_module",
    "push",
    "self_test",
    "sending",
]
_SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer}


def push(
    sequence: int,
    *topics: str,
    event: bytes = b'{"type":"t","data":null}',
    exclude: tuple[int, ...] = (),
    receipt: bool = False,
) -> Any:
    return PushFrame(Position("e", sequence), "run", topics, exclude, True, event, receipt=receipt)


class Reactor(task.Clock):
    """A clock, and the connections that want to write; it reads and writes nothing by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: list[Any] = []

    def getWriters(self) -> list[Any]:
        return self.writers

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def addReader(self, _: Any) -> None: ...

    removeReader = addReader


class Inside:
    """``component`` is embedded; ``connect`` makes clients."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.subscriptions = UriObservationMap()
        self.sessions: dict[int, Any] = {}
        self.broker = SimpleNamespace(
            _subscription_map=self.subscriptions, _session_to_subscriptions={}, _event_store=None
        )
        self.router = SimpleNamespace(
            _broker=self.broker,
            _session_id_to_session=self.sessions,
            _message_stats={"sent": {}},
            _is_traced=False,
            _trace_traffic=False,
        )
        self._ids = itertools.count(1)
        self._clients: list[Client] = []
        self.published: list[Any] = []
        self.component = self.embed(publish=lambda *args, **kwargs: self.published.append((args, kwargs)))

    def embed(self, **attributes: Any) -> Any:
        """A session of this process: what it is sent goes to ``attributes["onMessage"]``."""
        transport = RouterApplicationSession.__new__(RouterApplicationSession)
        session = SimpleIdentity(_transport=transport, **attributes)
        transport._router, transport._session = self.router, session
        return self.attach(session)

    def attach(self, session: Any) -> Any:
        session._session_id = next(self._ids)
        self.sessions[session._session_id] = session
        self.broker._session_to_subscriptions[session] = set()
        return session

    def connect(self, *topics: str, serializer: str = "json") -> "Client":
        client = Client(self, serializer)
        self._clients.append(client)
        for topic in topics:
            client.subscribe(topic)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.socket.close()
            client.ours.close()


class SimpleIdentity(SimpleNamespace):
    """Equal to itself only, as Crossbar's sessions are."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class _Factory:
    isServer = True


class Client:
    """A WebSocket session; ``events`` are what has arrived at the other end of its socket."""

    def __init__(self, inside: Inside, serializer: str) -> None:
        self._inside, self._decode = inside, msgpack.unpackb if serializer == "msgpack" else None
        self.ours, self.socket = socket.socketpair()
        self.socket.setblocking(False)
        below = SimpleNamespace(connectionLost=lambda _: None)
        self.tcp = Server(self.ours, below, ("test", 0), None, 0, inside.reactor)
        protocol = self.protocol = WampWebSocketServerProtocol()
        protocol.transport, protocol.factory, protocol.state = self.tcp, _Factory(), protocol.STATE_OPEN
        protocol._serializer, protocol.send_queue = _SERIALIZERS[serializer](), []
        protocol.autoFragmentSize, protocol.maskServerFrames = 0, False
        self.closed: tuple[int, bytes] | None = None
        protocol.sendCloseFrame = self._close
        self.session = protocol._session = inside.attach(SimpleIdentity(_transport=protocol, _authid=None))

    @property
    def id(self) -> int:
        return int(self.session._session_id)

    def _close(self, code: int, reasonUtf8: bytes) -> None:
        self.closed = code, reasonUtf8
        self.protocol.state = self.protocol.STATE_CLOSING

    def subscribe(self, uri: str, match: str = "exact") -> None:
        subscription, _, _ = self._inside.subscriptions.add_observer(self.session, uri, match)
        self._inside.broker._session_to_subscriptions[self.session].add(subscription)

    def events(self) -> list[Any]:
        """The positions of the events that have come since the last look."""
        data, positions = self.received(), []
        while data:
            size, head = data[1], 2
            if size == 126:
                size, head = int.from_bytes(data[2:4], "big"), 4
            message = data[head : head + size]
            data = data[head + size :]
            decoded = (
                self._decode(message) if self._decode else self.protocol._serializer._serializer.unserialize(message)[0]
            )
            assert decoded[0] == EVENT
            positions.append(decoded[5]["position"])
        return positions

    def received(self) -> bytes:
        data = b""
        try:
            while more := self.socket.recv(1024 * 1024):
                data += more
        except BlockingIOError:
            pass
        return data

    def fill(self) -> int:
        """Write until the socket takes no more; the bytes that wait then."""
        self.tcp.write(bytes(4 * 1024 * 1024))
        self.tcp.doWrite()
        for _ in range(100):
            self.tcp.doWrite()
        return len(self.tcp.dataBuffer) - self.tcp.offset

    def leave(self) -> None:
        inside, session = self._inside, self.session
        for subscription in inside.broker._session_to_subscriptions.pop(session):
            inside.subscriptions.drop_observer(session, subscription)
        del inside.sessions[session._session_id]
        session._transport = None
