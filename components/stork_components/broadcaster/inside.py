"""
The private names of Crossbar, autobahn and Twisted that the broadcaster relies on: ``self_test`` checks them.

Seen in crossbar 26.10, autobahn 26.10, Twisted 26.10 (CROSSBAR.md, 5 to 7).
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from crossbar.router.protocol import WampWebSocketServerProtocol
from crossbar.router.session import RouterApplicationSession
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Server

from stork_node.turns import Share
from stork_node.wamp_events import FRAMES

_OPEN = WebSocketProtocol.STATE_OPEN
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
        """Crossbar traces messages, or keeps events: then each has to pass through its own publish."""
        return bool(self._router._is_traced or self._router._trace_traffic or self._broker._event_store)

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

    def sessions(self) -> Iterable[Any]:
        return list(self._sessions.values())

    def count_sent(self, events: int) -> None:
        """For Crossbar's own figures (``Router.stats``)."""
        sent = self._router._message_stats["sent"]
        sent[_EVENT] = sent.get(_EVENT, 0) + events


def is_embedded(session: Any) -> bool:
    return isinstance(session._transport, RouterApplicationSession)


def transport(session: Any) -> Any:
    """The WAMP transport of a session that can still be sent to, or None."""
    return session._transport if session._session_id else None


def plain_socket(transport: Any) -> tuple[Server, str] | None:
    """
    The TCP connection under a WAMP transport that may be written to directly, and the serializer's name.

    None for all but an open WebSocket without TLS, masks, batches and fragments; also while autobahn holds frames back.
    A client that takes compressed messages takes others as well (RFC 7692, 6).
    """
    if (
        isinstance(transport, WampWebSocketServerProtocol)
        and transport.state == _OPEN
        and not transport.autoFragmentSize
        and not transport.maskServerFrames
        and not transport.send_queue
        and type(tcp := transport.transport) is Server
        and not tcp.TLS
        and (serializer := transport._serializer.SERIALIZER_ID) in FRAMES
    ):
        return tcp, serializer
    return None


def write(tcp: Server, piece: bytes) -> int:
    """
    Write to a connection: on its socket at once where nothing waits, and what it does not take by Twisted.

    Returns:
        The bytes of ``piece`` that wait now.
    """
    if not is_idle(tcp):
        tcp.write(piece)
        return len(piece)
    try:
        sent: int = tcp.socket.send(piece)
    except OSError:
        # Full; or broken: then Twisted meets the same error when it writes, and ends the connection.
        sent = 0
    if sent == len(piece):
        return 0
    tcp.write(piece[sent:] if sent else piece)
    return len(piece) - sent


def write_to_idle(
    share: Share, sessions: Iterable[Any], closing: AbstractSet[Any]
) -> tuple[int, int, list[Any], list[Any]]:
    """
    Write a share to those sessions that ``plain_socket`` is for and that have nothing waiting: nearly always all.

    All in one loop, for what is done for each session of each push is what a push costs.

    Returns:
        How many sessions, how many bytes; the sessions of which the socket did not take all, as the arguments of
        ``SlowReaders.left``; and the sessions that nothing was done for.
    """
    written, size, partly, rest = 0, 0, [], []
    pieces: dict[str, bytes] = {}
    for session in sessions:
        transport = session._transport
        if not (
            isinstance(transport, WampWebSocketServerProtocol)
            and transport.state == _OPEN
            and not transport.autoFragmentSize
            and not transport.maskServerFrames
            and not transport.send_queue
            and type(tcp := transport.transport) is Server
            and not tcp.TLS
            and not tcp._tempDataLen
            and not tcp.dataBuffer
            and session._session_id
            and session not in closing
        ):
            rest.append(session)
            continue
        serializer = transport._serializer.SERIALIZER_ID
        try:
            piece = pieces.get(serializer) or pieces.setdefault(serializer, share.piece(serializer))
            sent = tcp.socket.send(piece)
        except Exception:
            rest.append(session)  # whose turn it is to say what went wrong
            continue
        written += 1
        size += len(piece)
        if sent != len(piece):
            tcp.write(piece[sent:])
            partly.append((session, transport, tcp, len(piece) - sent))
    return written, size, partly, rest


def is_idle(tcp: Server) -> bool:
    """Whether nothing waits."""
    return not tcp._tempDataLen and not tcp.dataBuffer


def descriptor(transport: Any) -> FileDescriptor | None:
    """What holds the socket under a WAMP transport, below TLS as well; None for embedded sessions."""
    below = getattr(transport, "transport", None)
    while below is not None and not isinstance(below, FileDescriptor):
        below = getattr(below, "transport", None)
    return below


def waiting_bytes(transport: Any, descriptor: FileDescriptor) -> int:
    """What has been written to a WAMP transport and not yet been taken by the system."""
    waiting = _buffered(descriptor)
    over = transport.transport
    if over is not descriptor:
        waiting += sum(map(len, getattr(over, "_appSendBuffer", ())))
        waiting += sum(map(len, getattr(getattr(over, "_aggregator", None), "_buffer", ())))
    return waiting + sum(len(data) for data, _ in getattr(transport, "send_queue", ()))


def _buffered(descriptor: FileDescriptor) -> int:
    return int(descriptor._tempDataLen + len(descriptor.dataBuffer) - descriptor.offset)


def flush(descriptor: FileDescriptor) -> None:
    """Have Twisted write all that the socket takes: a turn of the reactor writes 128 KiB at most."""
    while not descriptor.disconnecting and (before := _buffered(descriptor)):
        if descriptor.doWrite() is not None or _buffered(descriptor) == before:
            return


def abort(transport: Any, descriptor: FileDescriptor) -> None:
    """
    Cut a connection, and free what waits for it.

    Without that, the buffers stay until the garbage collector comes: hundreds of MB after a burst of cuts.
    """
    over = transport.transport
    over.abortConnection()
    descriptor._tempDataBuffer, descriptor._tempDataLen = [], 0
    descriptor.dataBuffer, descriptor.offset = b"", 0
    if over is not descriptor:
        over._appSendBuffer = []
    if hasattr(transport, "send_queue"):
        transport.send_queue.clear()
