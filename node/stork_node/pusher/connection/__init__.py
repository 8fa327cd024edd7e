"""
One client's connection, without its socket: what it may do, and what it is answered.

The shell passes each text message to ``receive``, and does what the connection tells its ``Outlet``.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from stork_node.limits.allowance import Allowance
from stork_node.protocol.push import is_data
from stork_node.pusher import client_frames, codes, server_frames
from stork_node.pusher.apps import App
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import ClientEvent, Ping, SignIn, Subscribe, Unsubscribe
from stork_node.pusher.connection.outlet import Decider, Outlet
from stork_node.pusher.connection.rights import Refused, check_signature, member_of, read_channel, unauthorized
from stork_node.pusher.data import by_member
from stork_node.pusher.errors import InvalidFrame, InvalidMember, RoomFull
from stork_node.pusher.members import Member, read_user_data
from stork_node.pusher.settings import PusherLimits
from stork_node.pusher.signatures import is_authorized, user_text

MOST_BAD_FRAMES = 20
_NOT_STARTED = "the application of this node has not decided"
# Shared by all connections that have had no presence channels, as most.
_NOBODY: Mapping[str, Member] = MappingProxyType({})


class Connection:
    """
    Args:
        socket_id: signatures are for this socket only.
        now: seconds of any clock that never goes back.

    Attributes:
        channels: the subscribed channels, by name, with their topics.
        members: who the client is in the presence channels among them.
        user: who has signed in on this connection; None before.
    """

    __slots__ = (
        "_allowance",
        "_asked",
        "_bad_frames",
        "_limits",
        "_outlet",
        "app",
        "channels",
        "members",
        "socket_id",
        "user",
    )

    def __init__(self, app: App, socket_id: str, outlet: Outlet, limits: PusherLimits) -> None:
        self.app, self.socket_id = app, socket_id
        self._outlet, self._limits = outlet, limits
        self._allowance: Allowance | None = None
        self._bad_frames = 0
        self._asked: dict[str, Subscribe] | None = None
        self.channels: dict[str, tuple[Channel, str]] = {}
        self.members: Mapping[str, Member] = _NOBODY
        self.user: Member | None = None

    @property
    def has_user(self) -> bool:
        """Whether it is known who the client is."""
        return self.user is not None or bool(self.members)

    def receive(self, text: bytes, now: float) -> None:
        """Take one text message of the client."""
        try:
            frame = client_frames.decode(text)
        except InvalidFrame as error:
            self._note_bad_frame(error.reason)
            return
        match frame:
            case Subscribe():
                self._subscribe(frame)
            case Unsubscribe():
                self._unsubscribe(frame.channel)
            case ClientEvent():
                self._take_event(frame, now)
            case SignIn():
                self._sign_in(frame)
            case Ping():
                self._outlet.send(server_frames.PONG)

    def receive_binary(self) -> None:
        self._outlet.close(codes.UNAUTHORIZED, "this protocol has no binary messages")

    def receive_too_much(self) -> None:
        most = client_frames.MAX_FRAME_BYTES
        self._outlet.close(codes.UNAUTHORIZED, f"a message has at most {most:,} bytes")

    def _note_bad_frame(self, reason: str) -> None:
        self._bad_frames += 1
        if self._bad_frames >= MOST_BAD_FRAMES:
            self._outlet.close(
                codes.UNAUTHORIZED, f"{MOST_BAD_FRAMES} messages could not be read, the last one: {reason}"
            )
        else:
            self._outlet.send(server_frames.error(None, reason))

    # -- subscriptions -------------------------------------------------------------------------------------------------

    def _subscribe(self, asked: Subscribe) -> None:
        self._forget_question(asked.channel)
        try:
            channel, topic = self._check(asked)
            member = member_of(asked, self.user) if channel.is_presence else None
            if channel.name not in self.channels and self.app.meets_feeds and channel.user is None:
                self._meet_feed(asked, channel, topic, member)
            else:
                self._take(asked, channel, topic, member)
        except Refused as error:
            self._refuse(asked.channel, error)

    def _refuse(self, name: str, error: Refused, by: Decider = "node") -> None:
        if error.kind == codes.AUTH_ERROR:
            self._outlet.denied(name, by, str(error))
        self._outlet.send(server_frames.subscription_error(name, error.kind, error.reason, error.status))

    def _meet_feed(self, asked: Subscribe, channel: Channel, topic: str, member: Member | None) -> None:
        """Take a subscription where the application may have declared the feed of its topic."""
        if channel.needs_signature and self.app.asks_app:
            self._asked = self._asked or {}
            self._asked[channel.name] = asked
            known = self.user or member
            answered = partial(self._answered, asked, channel, topic, member)
            self._outlet.ask(topic, known.user_id if known else "", answered)
        elif channel.needs_signature or (is_open := self._outlet.may_all_read(topic)):
            self._take(asked, channel, topic, member)
        elif is_open is None:
            self._outlet.hold(_NOT_STARTED)
        else:
            raise unauthorized("the feed of this channel has verifiers: it is not open to all")

    def _answered(
        self, asked: Subscribe, channel: Channel, topic: str, member: Member | None, is_allowed: bool | None
    ) -> None:
        if (self._asked or {}).get(channel.name) is not asked:
            return
        self._forget_question(channel.name)
        try:
            if is_allowed:
                self._take(asked, channel, topic, member)
            elif is_allowed is None:
                self._outlet.hold(_NOT_STARTED)
            else:
                raise unauthorized("the application does not permit it")
        except Refused as error:
            self._refuse(channel.name, error, "application")

    def _forget_question(self, name: str) -> None:
        if self._asked is not None:
            self._asked.pop(name, None)
            self._asked = self._asked or None

    def _take(self, asked: Subscribe, channel: Channel, topic: str, member: Member | None) -> None:
        if channel.name not in self.channels and not self._admit(channel, topic, member):
            return
        if asked.resumption is not None:
            self._outlet.resume(channel, topic, asked.resumption)
            return
        self._outlet.succeed(channel, topic)
        if channel.is_cache:
            self._outlet.send_last(channel, topic)

    def _check(self, asked: Subscribe) -> tuple[Channel, str]:
        channel, topic = read_channel(asked.channel, self.app.version)
        check_signature(channel, asked, self.app.secrets, self.socket_id, self.user)
        if channel.name not in self.channels:
            self._check_number()
        return channel, topic

    def _check_number(self) -> None:
        if len(self.channels) + len(self._asked or ()) >= (most := self._limits.subscriptions):
            limit, whose = "subscriptions", "a connection"
        elif self._outlet.channels_of_address() >= (most := self._limits.subscriptions_per_address):
            limit, whose = "subscriptions_per_address", "an address"
        else:
            return
        self._outlet.reached(limit, most)
        raise Refused(codes.LIMIT_REACHED, f"{whose} has at most {most:,} channels", codes.LIMIT_STATUS)

    def _admit(self, channel: Channel, topic: str, member: Member | None) -> bool:
        """Subscribe; False if the socket is being closed instead."""
        if member is not None:
            is_known = self._is(member.user_id)
            if not is_known and not self._outlet.identify(member.user_id):
                return False
            try:
                if not self._outlet.join(channel, topic, member):
                    return False
            except RoomFull as error:
                if not is_known:
                    self._outlet.forget(member.user_id)
                raise Refused(codes.LIMIT_REACHED, error.reason, codes.LIMIT_STATUS) from None
            self._own_members()[channel.name] = member
        self.channels[channel.name] = channel, topic
        self._outlet.subscribe(channel, topic)
        return True

    def _own_members(self) -> dict[str, Member]:
        if not isinstance(self.members, dict):
            self.members = {}
        return self.members

    def _is(self, user_id: str) -> bool:
        """Whether the client is this user: it has signed in as such, or is a member of a presence channel."""
        # Most are one user in all channels, who is found at once.
        return any(member.user_id == user_id for member in (*filter(None, [self.user]), *self.members.values()))

    def _unsubscribe(self, name: str, *, has_left: bool = True) -> None:
        self._forget_question(name)
        if (found := self.channels.pop(name, None)) is None:
            return
        self._outlet.unsubscribe(*found)
        member = self.members.get(name)
        if member is not None:
            del self._own_members()[name]
            self._outlet.leave(*found, member, has_left=has_left)
            if not self._is(member.user_id):
                self._outlet.forget(member.user_id)

    def leave(self, *, has_left: bool = False) -> None:
        """The socket is closed: all subscriptions end. ``has_left``: the client does not come back."""
        self._asked = None
        channels, self.channels = self.channels, {}
        members, self.members = self.members, _NOBODY
        users = {member.user_id for member in (*filter(None, [self.user]), *members.values())}
        for name, found in channels.items():
            self._outlet.unsubscribe(*found)
            if name in members:
                self._outlet.leave(*found, members[name], has_left=has_left)
        for user_id in users:
            self._outlet.forget(user_id)
        if self.user is not None:
            self._outlet.signed_out(self.user, has_left=has_left)

    def end_subscription(self, name: str) -> None:
        """A command ends a subscription; ``tell_ended`` tells the client."""
        self._unsubscribe(name)

    def tell_ended(self, name: str, reason: str) -> None:
        """Unless the client has subscribed again meanwhile."""
        if name not in self.channels:
            frame = server_frames.subscription_error(name, codes.UNSUBSCRIBED, reason, codes.UNSUBSCRIBED_STATUS)
            self._outlet.send(frame)

    # -- users and client events ---------------------------------------------------------------------------------------

    def _sign_in(self, told: SignIn) -> None:
        is_proven = is_authorized(self.app.secrets, told.auth, user_text(self.socket_id, told.user_data))
        reason = "" if is_proven else "the signature of the sign-in is not one of this app for this socket"
        try:
            user = read_user_data(told.user_data)
        except InvalidMember as error:
            self._outlet.close(codes.UNAUTHORIZED, reason or error.reason)
            return
        if reason:
            self._outlet.refused(user.user_id, reason)
            self._outlet.close(codes.UNAUTHORIZED, reason)
            return
        if self.user is not None and self.user.user_id != user.user_id:
            self._outlet.close(codes.UNAUTHORIZED, "this connection is signed in as another user")
        elif self._is(user.user_id) or self._outlet.identify(user.user_id):
            self.user = user
            self._outlet.send(server_frames.signin_success(told.user_data))
            self._outlet.signed_in(user)

    def _take_event(self, event: ClientEvent, now: float) -> None:
        reason = self._refusal(event, now)
        if reason:
            self._outlet.send(server_frames.error(codes.CLIENT_EVENT_REFUSED, reason))
            return
        member = self.members.get(event.channel)
        if member is not None:
            event = replace(event, data=by_member(member.user_id, event.data))
        self._outlet.push(event, self.channels[event.channel][1])

    def _refusal(self, event: ClientEvent, now: float) -> str:
        if not self.app.client_events:
            return "this app takes no client events"
        if event.channel not in self.channels:
            return "a client event is for a channel that is subscribed on this connection"
        channel, topic = self.channels[event.channel]
        if not channel.needs_signature:
            return "client events are for private and presence channels"
        if self.app.meets_feeds and self._outlet.has_feed(topic) is not False:
            return "the application has declared the feed of this channel: it has no client events"
        if len(event.data) > self._limits.client_event_bytes:
            return f"the data of a client event has at most {self._limits.client_event_bytes:,} bytes"
        if not is_data(event.data):
            return "the data of this client event cannot be passed on: numbers, depth or texts are beyond the bounds"
        per_s = self._limits.client_events_per_second
        self._allowance = self._allowance or Allowance(per_s, 1, now)
        if self._allowance.take(1, now):
            return ""
        self._outlet.reached("client_events_per_second", per_s)
        return f"a connection sends at most {per_s} client events a second"
