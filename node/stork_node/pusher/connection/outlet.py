"""What a connection has done for it: the interface of its shell."""

from collections.abc import Callable
from typing import Literal, Protocol

from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import ClientEvent, Resumption
from stork_node.pusher.members import Member

Decider = Literal["node", "application"]


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

    def may_all_read(self, topic: str) -> bool | None:
        """Whether everybody may read a topic, as far as the application's feeds go; None: it has not started yet."""

    def has_feed(self, topic: str) -> bool | None:
        """Whether a topic is one of a feed of the application; None: it has not started yet."""

    def ask(self, topic: str, user_id: str, answered: Callable[[bool | None], None]) -> None:
        """
        Ask the application whether a client may read a topic.

        Args:
            user_id: who the client is; empty for nobody.
            answered: is called with the answer; None: there is none.
        """

    def hold(self, reason: str) -> None:
        """The client cannot be served now: close its connection after a while, so that it comes back."""

    def signed_in(self, user: Member) -> None:
        """A user has signed in, perhaps once more. Who watches that user is told."""

    def signed_out(self, user: Member, *, has_left: bool) -> None:
        """The connection on which a user has signed in is closed; ``has_left``: nobody waits for it to come back."""

    def denied(self, channel: str, by: Decider, reason: str) -> None:
        """The client has not the right to this channel."""

    def refused(self, user_id: str, reason: str) -> None:
        """The client is not this user, whatever it says."""

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
