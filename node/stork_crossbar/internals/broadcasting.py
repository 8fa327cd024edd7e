"""
The private names of Crossbar, autobahn and Twisted that the broadcaster relies on: ``self_test`` checks them.

Seen in crossbar 26.10, autobahn 26.10, Twisted 26.10 (docs/crossbar.md#writing-to-connections).
"""

import select
from collections.abc import Callable, Iterable
from typing import Any

from autobahn.wamp.message import Unsubscribed
from autobahn.websocket.protocol import WebSocketProtocol
from crossbar.router.protocol import WampWebSocketServerProtocol
from crossbar.router.session import RouterApplicationSession
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Server

from stork_crossbar.internals.polling import is_ready
from stork_crossbar.limits.insiders import INSIDERS
from stork_node.protocol.timestamps import format_timestamp
from stork_node.protocol.wamp_events import FRAMES

OPEN = WebSocketProtocol.STATE_OPEN
_EVENT = "event"


class Router:
    """The router that a component is embedded in: its subscriptions and sessions."""

    def __init__(self, component: Any) -> None:
        self._router = component._transport._router
        self._broker = self._router._broker
        self._sessions: dict[int, Any] = self._router._session_id_to_session
        self._subscriptions_of: dict[Any, set[Any]] = self._broker._session_to_subscriptions
        self.match: Callable[[str], list[Any]] = self._broker._subscription_map.match_observations
        """The subscriptions of a topic, exact ones first: each has ``id``, ``uri``, ``match`` and ``observers``."""

    @property
    def wants_each_message(self) -> bool:
        """
        Whether Crossbar traces messages or keeps events: then each event must pass through Crossbar's own publish.
        """
        return bool(self._router._is_traced or self._router._trace_traffic or self._broker._event_store)

    def topics(self) -> list[tuple[str, int]]:
        """The topics of all exact subscriptions, each with the number of sessions from outside this process."""
        observations = self._broker._subscription_map._observation_id_to_observation.values()
        counted = [(each.uri, _outsiders(each.observers)) for each in observations if each.match == "exact"]
        return [(uri, sessions) for uri, sessions in counted if sessions]

    def count_receivers(self, topic: str) -> int:
        """The number of sessions from outside this process that get the events of a topic, also by a pattern."""
        return _outsiders({session for each in self.match(topic) for session in each.observers})

    def session(self, session_id: int) -> Any:
        """The session with this id, or None."""
        return self._sessions.get(session_id)

    def is_attached(self, session: Any) -> bool:
        return session in self._subscriptions_of

    def subscriptions(self) -> Iterable[tuple[Any, set[Any]]]:
        """Each session that did not come from this process, with its subscriptions."""
        return [
            (session, subscriptions)
            for session, subscriptions in self._subscriptions_of.items()
            if subscriptions and not is_embedded(session)
        ]

    def visitors(self, authid: str | None, role: str | None, id: int | None) -> list[Any]:
        """The clients' sessions that are no backends', of this user, with this role, and with this id, if given."""
        sessions: Iterable[Any] = self._sessions.values()
        if id is not None:
            sessions = filter(None, [self._sessions.get(id)])
        elif authid is not None:
            sessions = [session for session in sessions if getattr(session, "_authid", None) == authid]
        elif role is not None:
            sessions = [session for session in sessions if getattr(session, "_authrole", None) == role]
        return [session for session in sessions if is_visitor(session)]

    def subscriptions_of(self, session: Any) -> list[Any]:
        """The subscriptions of one session: each has ``uri`` and ``match``."""
        return list(self._subscriptions_of.get(session, ()))

    def end_subscription(self, session: Any, subscription: Any) -> None:
        """
        End one subscription. ``tell_ended`` tells the client.

        Crossbar's ``removeSubscriber`` does both at once, which would be long for many.
        """
        self._broker._unsubscribe(subscription, session)

    def tell_ended(self, session: Any, subscription: Any, reason: str) -> None:
        """Tell a client that can hear it, unless it has subscribed again meanwhile; ``reason`` is a URI."""
        role = (session._session_roles or {}).get("subscriber")
        is_told = role is not None and role.subscription_revocation
        if is_told and transport(session) is not None and session not in subscription.observers:
            self._router.send(session, Unsubscribed(0, subscription=subscription.id, reason=reason))

    def sessions(self) -> Iterable[Any]:
        return list(self._sessions.values())

    def count_sent(self, events: int) -> None:
        """Add to Crossbar's own figures (``Router.stats``)."""
        sent = self._router._message_stats["sent"]
        sent[_EVENT] = sent.get(_EVENT, 0) + events


def _outsiders(sessions: Iterable[Any]) -> int:
    return sum(not is_embedded(session) for session in sessions)


def is_embedded(session: Any) -> bool:
    return isinstance(session._transport, RouterApplicationSession)


def is_visitor(session: Any) -> bool:
    """Whether it is the session of a client that is no backend."""
    return not is_embedded(session) and session._authrole not in INSIDERS


def authid(session: Any) -> str:
    """The user of a session."""
    return session._authid or ""


def session_id(session: Any) -> int | None:
    """The id of a session; None if it has left."""
    number: int | None = session._session_id
    return number


def joined_at(session: Any) -> str | None:
    """When a session has joined, RFC 3339; None under stock Crossbar."""
    joined: float | None = getattr(session, "stork_joined_at", None)
    return None if joined is None else format_timestamp(joined)


def transport(session: Any) -> Any:
    """The WAMP transport of a session that can still get data; None after its close frame."""
    transport = session._transport if session._session_id else None
    return transport if getattr(transport, "state", OPEN) == OPEN else None


class DirectConnection:
    """
    A connection that may be written to directly: a WebSocket without TLS, masks, batches and fragments.

    A compressed connection counts, too: its client must also accept uncompressed messages (RFC 7692, 6).

    Attributes:
        session, transport: the WAMP session, and its transport.
        tcp: the TCP connection under them.
        serializer: the name of its serializer, a key of ``FRAMES``.
    """

    __slots__ = ("_send", "serializer", "session", "tcp", "transport")

    def __init__(self, session: Any, transport: Any, tcp: Server, serializer: str) -> None:
        self.session, self.transport, self.tcp, self.serializer = session, transport, tcp, serializer
        self._send: Callable[[bytes], int] = tcp.socket.send

    def is_open(self) -> bool:
        """Whether it takes data now: it is not closing, and autobahn holds no frames back."""
        transport = self.transport
        return transport.state == OPEN and not transport.send_queue

    def is_idle(self) -> bool:
        """Whether no bytes wait: data that is sent now overtakes nothing."""
        tcp = self.tcp
        return not tcp._tempDataLen and not tcp.dataBuffer

    def send(self, payload: bytes) -> int:
        """
        Write to the socket while no bytes wait; any thread may call this. Returns the number of bytes that the socket
        took.
        """
        try:
            return self._send(payload)
        except Exception:
            # The socket is full, or broken. If broken, Twisted gets the same error with the rest, and ends the
            # connection.
            return 0

    def write_rest(self, payload: bytes, sent: int) -> int:
        """Let Twisted write the bytes of ``payload`` after the first ``sent``; returns how many bytes wait now."""
        if sent < len(payload):
            self.tcp.write(payload[sent:])
        return len(payload) - sent


def connection(session: Any) -> DirectConnection | None:
    """
    The direct connection of a session, or None. The session keeps it: finding it again for each push would take a third
    of the push's time.
    """
    try:
        found: DirectConnection = session._stork_connection
    except AttributeError:
        transport = session._transport
        if not (
            isinstance(transport, WampWebSocketServerProtocol)
            and (serializer := transport._serializer.SERIALIZER_ID) in FRAMES
        ):
            return None
        direct = direct_connection(session, transport, serializer)
        if direct is None:
            return None
        found = session._stork_connection = direct
    return found


def direct_connection(session: Any, transport: Any, serializer: str) -> DirectConnection | None:
    """A new direct connection; None if this WebSocket cannot have one."""
    tcp = transport.transport
    if transport.autoFragmentSize or transport.maskServerFrames or type(tcp) is not Server or tcp.TLS:
        return None
    return DirectConnection(session, transport, tcp, serializer)


def descriptor(transport: Any) -> FileDescriptor | None:
    """The object that holds the socket under a WAMP transport, also below TLS; None for embedded sessions."""
    below = getattr(transport, "transport", None)
    while below is not None and not isinstance(below, FileDescriptor):
        below = getattr(below, "transport", None)
    return below


def waiting_bytes(transport: Any, descriptor: FileDescriptor) -> int:
    """The bytes that were written to a WAMP transport, and not yet taken by the operating system."""
    waiting = _buffered(descriptor)
    over = transport.transport
    if over is not descriptor:
        waiting += sum(map(len, getattr(over, "_appSendBuffer", ())))
        waiting += sum(map(len, getattr(getattr(over, "_aggregator", None), "_buffer", ())))
    return waiting + sum(len(data) for data, _ in getattr(transport, "send_queue", ()))


def _buffered(descriptor: FileDescriptor) -> int:
    return int(descriptor._tempDataLen + len(descriptor.dataBuffer) - descriptor.offset)


def flush(descriptor: FileDescriptor) -> None:
    """
    Let Twisted write as much as the socket takes: one turn of the reactor writes at most 128 KiB.

    If the socket takes nothing, return first: Twisted would join all waiting bytes into one block.
    """
    if not descriptor.connected or not is_ready(descriptor.fileno(), select.POLLOUT):
        return
    while not descriptor.disconnecting and (before := _buffered(descriptor)):
        if descriptor.doWrite() is not None or _buffered(descriptor) == before:
            return


def end(descriptor: FileDescriptor) -> None:
    """End a connection at once. It is reset only if unread bytes wait for its client."""
    if descriptor.producer is None and not _buffered(descriptor):
        descriptor.loseConnection()
    else:
        descriptor.abortConnection()


def abort(transport: Any, descriptor: FileDescriptor) -> None:
    """
    Cut a connection, and free its waiting bytes.

    Otherwise the buffers stay until the garbage collector runs: hundreds of MB after many cuts.
    """
    over = transport.transport
    over.abortConnection()
    descriptor._tempDataBuffer, descriptor._tempDataLen = [], 0
    descriptor.dataBuffer, descriptor.offset = b"", 0
    if over is not descriptor:
        over._appSendBuffer = []
    if hasattr(transport, "send_queue"):
        transport.send_queue.clear()
