"""A Pusher client, as its own connection and the broadcaster see it."""

from contextlib import suppress
from typing import Any

from autobahn.exception import Disconnected

from stork_crossbar.connections.closing import close_transport
from stork_crossbar.internals import broadcasting
from stork_node.pusher import server_frames
from stork_node.pusher.apps import App
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import ClientEvent, Resumption
from stork_node.pusher.connection import Connection
from stork_node.pusher.settings import PusherLimits

_MOST_REASON_BYTES = 120


class PusherSocket:
    """
    The outlet of a ``Connection``. For the broadcaster it stands in the place of a WAMP session, and has its names.

    Args:
        hub: the sockets of this process (``Sockets``).
    """

    __slots__ = (
        "_hub",
        "_resumptions",
        "_session_id",
        "_stork_connection",
        "_transport",
        "connection",
        "heard_at",
        "is_pinged",
    )

    serializer = "pusher"

    def __init__(self, hub: Any, protocol: Any, app: App, number: int, id: str, limits: PusherLimits) -> None:
        self._hub, self._transport = hub, protocol
        self._session_id: int | None = number
        self._stork_connection = broadcasting.direct_connection(self, protocol, self.serializer)
        self.connection = Connection(app, id, self, limits)
        self.heard_at: float = hub.now()
        self.is_pinged = False
        self._resumptions: dict[str, Resumption] | None = None

    @property
    def is_open(self) -> bool:
        return self._session_id is not None

    def receive(self, payload: bytes, *, is_binary: bool) -> None:
        self.hear()
        if is_binary:
            self.connection.receive_binary()
        else:
            self.connection.receive(payload, self.heard_at)

    def hear(self) -> None:
        """The client lives."""
        self.heard_at, self.is_pinged = self._hub.now(), False

    def lost(self) -> None:
        """The WebSocket is closed."""
        if self._session_id is not None:
            self.connection.leave()
            self._hub.table.followers.observers.discard(self)
            self._hub.closed(self._session_id)
            self._session_id = None

    def come_again(self) -> None:
        """Cut the connection: the client opens another one by itself."""
        descriptor = broadcasting.descriptor(self._transport)
        if descriptor is None:
            self._transport.dropConnection(abort=True)
        else:
            broadcasting.abort(self._transport, descriptor)

    # -- what the connection has done ----------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        if self._transport.state == broadcasting.OPEN:
            with suppress(Disconnected):  # it has closed itself
                self._transport.sendMessage(frame)

    def subscribe(self, channel: Channel, topic: str) -> None:
        self._hub.table.add(channel, topic, self.connection.app.version, self)

    def resume(self, channel: Channel, topic: str, resumption: Resumption) -> None:
        if self._session_id is not None:
            self._hub.table.discard(topic, self)
            self._hub.table.followers.observers.discard(self)
            self._resumptions = self._resumptions or {}
            self._resumptions[topic] = resumption
            self._hub.resume(self, self._session_id, channel, topic, resumption)

    def waiting_bytes(self) -> int:
        """What has been written and has not been sent yet."""
        descriptor = broadcasting.descriptor(self._transport)
        return broadcasting.waiting_bytes(self._transport, descriptor) if descriptor else 0

    def succeed(self, channel: Channel, **told: Any) -> None:
        self.send(server_frames.subscription_succeeded(channel.name, **told))

    def is_resuming(self, topic: str, resumption: Resumption) -> bool:
        """Whether the client still waits for this."""
        return self._session_id is not None and (self._resumptions or {}).get(topic) is resumption

    def resumed(self, channel: Channel, topic: str) -> None:
        """What was missed has been sent: the channel is live."""
        self._end_resumption(topic)
        self.subscribe(channel, topic)

    def _end_resumption(self, topic: str) -> None:
        if self._resumptions is not None:
            self._resumptions.pop(topic, None)
            if not self._resumptions:
                self._resumptions = None
                self._hub.table.followers.observers.add(self)

    def unsubscribe(self, channel: Channel, topic: str) -> None:
        self._end_resumption(topic)
        self._hub.table.discard(topic, self)

    def send_last(self, channel: Channel, topic: str) -> None:
        body = server_frames.last_event(self._hub.newest_first(topic))
        self.send(server_frames.event(channel.name, body) if body else server_frames.cache_miss(channel.name))

    def push(self, event: ClientEvent, topic: str) -> None:
        if self._session_id is not None:
            self._hub.push(self, self._session_id, event, topic)

    def close(self, code: int, reason: str) -> None:
        if close_with_error(self._transport, code, reason):
            self._hub.counters.closed[str(code)] += 1


def close_with_error(protocol: Any, code: int, reason: str) -> bool:
    """
    Send ``pusher:error``, and close with the same code: it tells the client whether to come back.

    Returns:
        False if the connection is closing already.
    """
    if protocol.state != broadcasting.OPEN:
        return False
    with suppress(Disconnected):  # it has closed itself
        protocol.sendMessage(server_frames.error(code, reason))
        close_transport(protocol, code, reason.encode()[:_MOST_REASON_BYTES].decode(errors="ignore"))
    return True
