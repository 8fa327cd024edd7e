"""
One client's connection, without its socket: what it may do, and what it is answered.

The shell passes each text message to ``receive``, and does what the connection tells its ``Outlet``.
"""

from dataclasses import replace
from typing import Protocol

from stork_node.limits.allowance import Allowance
from stork_node.protocol.push import is_data
from stork_node.pusher import client_frames, codes, server_frames
from stork_node.pusher.apps import App
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import ClientEvent, Ping, Resumption, SignIn, Subscribe, Unsubscribe
from stork_node.pusher.data import by_member
from stork_node.pusher.errors import InvalidChannel, InvalidFrame, InvalidMember, RoomFull
from stork_node.pusher.members import Member, read_channel_data, read_user_data
from stork_node.pusher.settings import PusherLimits
from stork_node.pusher.signatures import channel_text, is_authorized, user_text

MOST_BAD_FRAMES = 20
# Shared by all connections that have had no presence channels, as most; nothing may be put into it.
_NOBODY: dict[str, Member] = {}


class Outlet(Protocol):
    """What a connection has done for it."""

    def send(self, frame: bytes) -> None:
        """Send one text message."""

    def subscribe(self, channel: Channel, topic: str) -> None:
        """From now on the socket gets the events of this channel. It was not subscribed before."""

    def resume(self, channel: Channel, topic: str, resumption: Resumption) -> None:
        """
        Send that the subscription has succeeded, and what the client has missed; from then on the socket gets the
        events of this channel. It may be subscribed already.
        """

    def unsubscribe(self, channel: Channel, topic: str) -> None:
        """It gets them no longer. It was subscribed, or was about to be."""

    def join(self, channel: Channel, topic: str, member: Member) -> bool:
        """
        The socket is a member of a presence channel from now on. False: nobody knows now who else is, and the socket is
        being closed.

        Raises:
            RoomFull: the channel has as many members as it takes.
        """

    def leave(self, channel: Channel, topic: str, member: Member, *, has_left: bool) -> None:
        """It is no member any more; ``has_left``: nobody waits for it to come back."""

    def succeed(self, channel: Channel, topic: str) -> object:
        """Send that the subscription has succeeded; to a member with the list of all members."""

    def identify(self, user_id: str) -> bool:
        """
        The socket is this user's now, too. False: a command may have named the user since the socket was opened, and
        the socket is being closed.
        """

    def forget(self, user_id: str) -> None:
        """It is not this user's any more."""

    def send_last(self, channel: Channel, topic: str) -> None:
        """Send the last event of a cache channel, or that there is none."""

    def push(self, event: ClientEvent, topic: str) -> None:
        """Send the event to all other subscribers of the topic; it is not stored."""

    def channels_of_address(self) -> int:
        """The subscriptions of all sockets of the client's address; 0 if others may share the address."""

    def reached(self, limit: str, number: int) -> None:
        """The client has reached this field of ``PusherLimits``, which is ``number``."""

    def close(self, code: int, reason: str) -> None:
        """Send the error, and close the connection with the same code."""


class Refused(Exception):
    """A subscription that the client does not get."""

    def __init__(self, kind: str, reason: str, status: int) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.status = kind, reason, status


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
        self.channels: dict[str, tuple[Channel, str]] = {}
        self.members: dict[str, Member] = _NOBODY
        self.user: Member | None = None

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
        try:
            channel, topic = self._check(asked)
            member = self._member(asked) if channel.is_presence else None
            if channel.name not in self.channels and not self._admit(channel, topic, member):
                return
        except Refused as error:
            self._outlet.send(server_frames.subscription_error(asked.channel, error.kind, error.reason, error.status))
            return
        if asked.resumption is not None:
            self._outlet.resume(channel, topic, asked.resumption)
            return
        self._outlet.succeed(channel, topic)
        if channel.is_cache:
            self._outlet.send_last(channel, topic)

    def _check(self, asked: Subscribe) -> tuple[Channel, str]:
        try:
            channel = Channel.parse(asked.channel)
            topic = channel.topic(self.app.version)
        except InvalidChannel as error:
            kind, status = (
                (codes.LIMIT_REACHED, codes.LIMIT_STATUS)
                if error.is_too_long
                else (codes.INVALID_CHANNEL, codes.INVALID_STATUS)
            )
            raise Refused(kind, error.reason, status) from None
        self._check_rights(channel, asked)
        if channel.name not in self.channels:
            self._check_number()
        return channel, topic

    def _check_number(self) -> None:
        if len(self.channels) >= (most := self._limits.subscriptions):
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
            if self.members is _NOBODY:
                self.members = {}
            self.members[channel.name] = member
        self.channels[channel.name] = channel, topic
        self._outlet.subscribe(channel, topic)
        return True

    def _is(self, user_id: str) -> bool:
        """Whether the client is this user: it has signed in as such, or is a member of a presence channel."""
        # Most are one user in all channels, who is found at once.
        return any(member.user_id == user_id for member in (*filter(None, [self.user]), *self.members.values()))

    def _check_rights(self, channel: Channel, asked: Subscribe) -> None:
        if channel.user is not None:
            if self.user is None or channel.user != self.user.user_id:
                raise _unauthorized("this connection is not signed in as that user")
        elif channel.needs_signature:
            data = asked.channel_data if channel.is_presence else None
            text = channel_text(self.socket_id, channel.name, data)
            if asked.auth is None:
                raise _unauthorized("a signature is missing: auth")
            if not is_authorized(self.app.secrets, asked.auth, text):
                raise _unauthorized("the signature is not one of this app for this socket and channel")

    def _member(self, asked: Subscribe) -> Member:
        """Who joins a presence channel: as its data says, or else the user who has signed in."""
        member = self.user
        try:
            if asked.channel_data is not None:
                member = read_channel_data(asked.channel_data)
            if member is None:
                raise _unauthorized("channel_data is missing, and nobody has signed in on this connection")
            member.check_info()
        except InvalidMember as error:
            if error.is_too_large:
                raise Refused(codes.LIMIT_REACHED, error.reason, codes.LIMIT_STATUS) from None
            raise _unauthorized(error.reason) from None
        return member

    def _unsubscribe(self, name: str, *, has_left: bool = True) -> None:
        if (found := self.channels.pop(name, None)) is None:
            return
        self._outlet.unsubscribe(*found)
        member = self.members.get(name)
        if member is not None:
            del self.members[name]
            self._outlet.leave(*found, member, has_left=has_left)
            if not self._is(member.user_id):
                self._outlet.forget(member.user_id)

    def leave(self, *, has_left: bool = False) -> None:
        """The socket is closed: all subscriptions end. ``has_left``: the client does not come back."""
        channels, self.channels = self.channels, {}
        members, self.members = self.members, _NOBODY
        users = {member.user_id for member in (*filter(None, [self.user]), *members.values())}
        for name, found in channels.items():
            self._outlet.unsubscribe(*found)
            if name in members:
                self._outlet.leave(*found, members[name], has_left=has_left)
        for user_id in users:
            self._outlet.forget(user_id)

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
        if not is_authorized(self.app.secrets, told.auth, user_text(self.socket_id, told.user_data)):
            self._outlet.close(
                codes.UNAUTHORIZED, "the signature of the sign-in is not one of this app for this socket"
            )
            return
        try:
            user = read_user_data(told.user_data)
        except InvalidMember as error:
            self._outlet.close(codes.UNAUTHORIZED, error.reason)
            return
        if self.user is not None and self.user.user_id != user.user_id:
            self._outlet.close(codes.UNAUTHORIZED, "this connection is signed in as another user")
        elif self._is(user.user_id) or self._outlet.identify(user.user_id):
            self.user = user
            self._outlet.send(server_frames.signin_success(told.user_data))

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
        if not self.channels[event.channel][0].needs_signature:
            return "client events are for private and presence channels"
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


def _unauthorized(reason: str) -> Refused:
    return Refused(codes.AUTH_ERROR, reason, codes.UNAUTHORIZED_STATUS)
