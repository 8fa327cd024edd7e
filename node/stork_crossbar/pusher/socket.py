"""A Pusher client, as its own connection and the broadcaster see it."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from autobahn.exception import Disconnected
from msgspec import Raw

from stork_crossbar.connections.closing import BREAK, close_transport
from stork_crossbar.internals import broadcasting
from stork_crossbar.limits import client_limits
from stork_crossbar.opening import handshake
from stork_node import clock
from stork_node.guard.feed_rules import FeedRules
from stork_node.nodes.session_marks import Opening
from stork_node.process_state import singleton
from stork_node.pusher import codes, server_frames
from stork_node.pusher.apps import App
from stork_node.pusher.channels import USER_PREFIX, Channel
from stork_node.pusher.client_frames import ClientEvent, Resumption
from stork_node.pusher.connection import Connection
from stork_node.pusher.members import Member
from stork_node.pusher.settings import PusherLimits
from stork_node.why.recent import Kind, RecentEvents

_MOST_REASON_BYTES = 120


class Subscription(NamedTuple):
    """One channel of a socket, with the names that the router's subscriptions have."""

    channel: str
    uri: str
    match: str = "exact"


class PusherSocket:
    """
    The outlet of a ``Connection``. For the broadcaster it stands in the place of a WAMP session, and has its names.

    Args:
        hub: the sockets of this process (``Sockets``).
    """

    __slots__ = (
        "_address",
        "_has_left",
        "_hub",
        "_is_ending",
        "_opening",
        "_resumptions",
        "_session_id",
        "_stork_connection",
        "_transport",
        "connection",
        "heard_at",
        "is_pinged",
    )

    serializer = "pusher"

    def __init__(
        self, hub: Any, protocol: Any, app: App, number: int, id: str, limits: PusherLimits, opening: Opening
    ) -> None:
        self._hub, self._transport, self._opening = hub, protocol, opening
        self._address = handshake.counted_address(protocol.peer)
        self._is_ending = self._has_left = False
        self._session_id: int | None = number
        self._stork_connection = broadcasting.direct_connection(self, protocol, self.serializer)
        self.connection = Connection(app, id, self, limits)
        self.heard_at: float = hub.now()
        self.is_pinged = False
        self._resumptions: dict[str, Resumption] | None = None

    @property
    def is_open(self) -> bool:
        return self._session_id is not None

    @property
    def version(self) -> str:
        """The first part of the topics of its app."""
        return self.connection.app.version

    @property
    def _authid(self) -> str:
        user = self.connection.user
        return user.user_id if user else ""

    def receive(self, payload: bytes, *, is_binary: bool) -> None:
        self.hear()
        if self._is_ending:
            return
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
            self.connection.leave(has_left=self._has_left)
            self._hub.table.followers.observers.discard(self)
            self._hub.closed(self._session_id)
            self._session_id = None

    # -- what commands do ----------------------------------------------------------------------------------------------

    def subscriptions(self) -> list[Subscription]:
        return [Subscription(name, topic) for name, (_, topic) in self.connection.channels.items()]

    def end_subscription(self, subscription: Subscription) -> None:
        self.connection.end_subscription(subscription.channel)

    def tell_ended(self, subscription: Subscription, reason: str) -> None:
        self.connection.tell_ended(subscription.channel, reason)

    def stop_listening(self) -> None:
        """It is being ended: what its client sends from now on does nothing."""
        self._is_ending = True

    def end_for_good(self, reason: str) -> None:
        """Close the connection so that the client does not come back by itself."""
        self._has_left = True
        self.close(codes.UNAUTHORIZED, reason)

    def come_again(self, code: int, reason: str) -> None:
        """
        End the connection so that the client opens another one by itself.

        Args:
            code: that of a WAMP client. After a break, the connection is cut: nothing more can be written to it.
        """
        if code != BREAK:
            self.close(codes.RECONNECT, reason)
            return
        descriptor = broadcasting.descriptor(self._transport)
        if descriptor is None:
            self._transport.dropConnection(abort=True)
        else:
            broadcasting.abort(self._transport, descriptor)

    def channels_of_address(self) -> int:
        return self._hub.channels_of[self._address] if self._address else 0

    def reached(self, limit: str, number: int) -> None:
        client_limits.note_other(limit, f"a Pusher client of {self._transport.peer}", number)

    # -- what the connection has done ----------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        if self._transport.state == broadcasting.OPEN:
            with suppress(Disconnected):  # it has closed itself
                self._transport.sendMessage(frame)

    def subscribe(self, channel: Channel, topic: str) -> None:
        self._count_channel(1)
        self._listen(channel, topic)

    def _listen(self, channel: Channel, topic: str) -> None:
        self._hub.table.add(channel, topic, self.connection.app.version, self)
        self._remember(Kind.SUBSCRIBED, topic)

    def may_all_read(self, topic: str) -> bool | None:
        return singleton(FeedRules).is_open(topic)

    def has_feed(self, topic: str) -> bool | None:
        return singleton(FeedRules).is_declared(topic)

    def ask(self, topic: str, user_id: str, answered: Callable[[bool | None], None]) -> None:
        if self._session_id is not None:
            session = {"session": self._session_id, "authid": user_id, "authrole": codes.ROLE}
            self._hub.ask({**session, "transport": {"peer": self._transport.peer}}, topic, answered)

    def hold(self, reason: str) -> None:
        self._is_ending = True
        self._hub.hold(self._transport, reason)

    def _count_channel(self, change: int) -> None:
        if self._address:
            counts: Counter[str] = self._hub.channels_of
            counts[self._address] += change
            if not counts[self._address]:
                del counts[self._address]

    def join(self, channel: Channel, topic: str, member: Member) -> bool:
        if self._hub.presence.join(self, topic, member):
            return True
        self.hold("this node does not know yet who is online")
        return False

    def leave(self, channel: Channel, topic: str, member: Member, *, has_left: bool) -> None:
        self._hub.presence.leave(self, topic, member, has_left)

    def resume(self, channel: Channel, topic: str, resumption: Resumption) -> None:
        if self._session_id is not None:
            self._hub.table.discard(topic, self)
            self._hub.table.followers.observers.discard(self)
            self._resumptions = self._resumptions or {}
            self._resumptions[topic] = resumption
            self._transport.open_recoveries += 1
            self._hub.resume(self, self._session_id, channel, topic, resumption)

    def waiting_bytes(self) -> int:
        """What has been written and has not been sent yet."""
        descriptor = broadcasting.descriptor(self._transport)
        return broadcasting.waiting_bytes(self._transport, descriptor) if descriptor else 0

    def succeed(self, channel: Channel, topic: str, *, has_more: bool = False, **told: Any) -> Mapping[str, bytes]:
        """
        Returns the members that the client is told; none in other channels than presence channels.

        Args:
            has_more: the events that the client has missed follow.
        """
        member = self.connection.members.get(channel.name)
        if member is not None:
            told["presence"] = Raw(self._hub.presence.members(topic, member))
        self.send(server_frames.subscription_succeeded(channel.name, has_more=has_more, **told))
        return self._hub.presence.shown(topic) if member else {}

    def tell_changes(self, channel: Channel, topic: str, shown: Mapping[str, bytes]) -> None:
        """Tell what has changed since the client was told these members."""
        member = self.connection.members.get(channel.name)
        for body in self._hub.presence.changes(topic, member, shown) if member else ():
            self.send(server_frames.event(channel.name, body))

    def is_resuming(self, topic: str, resumption: Resumption) -> bool:
        """Whether the client still waits for this."""
        if self._session_id is None or self._is_ending:
            return False
        return (self._resumptions or {}).get(topic) is resumption

    def resumed(self, channel: Channel, topic: str) -> None:
        """What was missed has been sent: the channel is live."""
        self._end_resumption(topic)
        self._listen(channel, topic)

    def end_request(self) -> None:
        """A call of ``resume`` is over, whatever came of it."""
        self._transport.end_recovery()

    def _end_resumption(self, topic: str) -> None:
        if self._resumptions is not None:
            self._resumptions.pop(topic, None)
            if not self._resumptions:
                self._resumptions = None
                self._hub.table.followers.observers.add(self)

    def unsubscribe(self, channel: Channel, topic: str) -> None:
        self._count_channel(-1)
        self._end_resumption(topic)
        self._hub.table.discard(topic, self)
        self._remember(Kind.UNSUBSCRIBED, topic)

    def identify(self, user_id: str) -> bool:
        own_topic = Channel.parse(USER_PREFIX + user_id).topic(self.version)
        if self._hub.marks.user_missed(self._opening, user_id, own_topic):
            self.close(codes.RECONNECT, "a command about this user came since the connection was opened")
            return False
        self._hub.table.add_user(user_id, self)
        singleton(RecentEvents).note(Kind.JOINED, self._session_id or 0, user_id)
        return True

    def forget(self, user_id: str) -> None:
        self._hub.table.discard_user(user_id, self)
        held = [(each.uri, each.match) for each in self.subscriptions()]
        singleton(RecentEvents).note(Kind.LEFT, self._session_id or 0, user_id, held=held)

    def denied(self, channel: str, by: str, reason: str) -> None:
        self._remember(Kind.DENIED, Channel.parse(channel).topic(self.version), by=by, reason=reason)

    def refused(self, user_id: str, reason: str) -> None:
        singleton(RecentEvents).note_refused_join(user_id, self._session_id or 0, "node", reason)

    def recovered(self, topic: str, start: int, end: int) -> None:
        """The client has got the pushes after ``start`` up to ``end``."""
        if end > start:
            self._remember(Kind.RECOVERED, topic, start=start, end=end)

    def _remember(self, kind: Kind, topic: str, **what: Any) -> None:
        """For ``stork why``, which is asked about users."""
        if self.connection.has_user:
            singleton(RecentEvents).note(kind, self._session_id or 0, subscription=(topic, "exact"), **what)

    def signed_in(self, user: Member) -> None:
        self._hub.users.signed_in(self, user)

    def signed_out(self, user: Member, *, has_left: bool) -> None:
        self._hub.users.signed_out(self, user, has_left)

    def send_last(self, channel: Channel, topic: str) -> None:
        since = clock.wall() - self.connection.app.cache_s
        body = server_frames.last_event(self._hub.newest_first(topic), since)
        self.send(server_frames.event(channel.name, body) if body else server_frames.cache_miss(channel.name))
        if not body:
            self._hub.hooks.tell(self.connection.app, "cache_miss", channel=channel.name, data="{}")

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
