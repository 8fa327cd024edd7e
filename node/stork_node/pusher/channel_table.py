"""Who is subscribed to which channel on this node."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from stork_node.pusher.channels import Channel, channel_of
from stork_node.pusher.codes import ROLE

# The shell's own objects: hashable, and nothing else is known of them here.
Socket = Any


class Subscribers:
    """The sockets that are subscribed to one channel, which all get the same bytes."""

    __slots__ = ("channel", "observers", "version")

    def __init__(self, channel: Channel, version: str) -> None:
        self.channel, self.version = channel, version
        self.observers: set[Socket] = set()


Watcher = Callable[[Subscribers, str], None]
"""Is called with the subscribers of a channel that are left, and its topic."""


class Followers:
    """The sockets that are told the node's position, as they follow theirs."""

    __slots__ = ("observers",)

    def __init__(self) -> None:
        self.observers: set[Socket] = set()


class ChannelTable:
    """
    Attributes:
        followers: who recovers, and has nothing to recover now.
        sockets: all sockets by their number, which pushes exclude.
        unserved: the reason why events cannot be written to sockets; empty if they can.
        watcher: is told of each channel whose subscribers on this node have changed.
    """

    def __init__(self) -> None:
        self._by_topic: dict[str, Subscribers] = {}
        self._by_user: dict[str, set[Socket]] = {}
        self.sockets: dict[int, Socket] = {}
        self.followers = Followers()
        self.unserved = ""
        self.watcher: Watcher | None = None

    def __len__(self) -> int:
        """The number of channels with subscribers."""
        return len(self._by_topic)

    def match(self, topic: str) -> Subscribers | None:
        return self._by_topic.get(topic)

    def add(self, channel: Channel, topic: str, version: str, socket: Socket) -> None:
        subscribers = self._by_topic.get(topic)
        if subscribers is None:
            subscribers = self._by_topic[topic] = Subscribers(channel, version)
        if socket not in subscribers.observers:
            subscribers.observers.add(socket)
            if self.watcher is not None:
                self.watcher(subscribers, topic)

    def discard(self, topic: str, socket: Socket) -> None:
        subscribers = self._by_topic.get(topic)
        if subscribers is not None and socket in subscribers.observers:
            subscribers.observers.discard(socket)
            if not subscribers.observers:
                del self._by_topic[topic]
            if self.watcher is not None:
                self.watcher(subscribers, topic)

    # -- users: who has signed in, and members of presence channels ------------------------------------------------

    def add_user(self, user_id: str, socket: Socket) -> None:
        self._by_user.setdefault(user_id, set()).add(socket)

    def discard_user(self, user_id: str, socket: Socket) -> None:
        sockets = self._by_user.get(user_id)
        if sockets is not None:
            sockets.discard(socket)
            if not sockets:
                del self._by_user[user_id]

    def of_user_topic(self, topic: str) -> list[Socket] | None:
        """All sockets of the user whose own topic this is, in its app; None if it is no user's."""
        version = topic.partition(".")[0]
        channel = channel_of(topic, version)
        if channel is None or channel.user is None:
            return None
        return [each for each in self._by_user.get(channel.user, ()) if each.version == version]

    def clients(self, authid: str | None, role: str | None, number: int | None) -> list[Socket]:
        """The sockets with this number, or else of this user, or else with this role; all if none is given."""
        found: Iterable[Socket] = self.sockets.values()
        if number is not None:
            found = filter(None, [self.sockets.get(number)])
        elif authid is not None:
            found = self._by_user.get(authid, ())
        elif role is not None and role != ROLE:
            found = ()
        return list(found)

    def subscribed(self) -> set[Socket]:
        """The sockets with at least one channel."""
        return {socket for subscribers in self._by_topic.values() for socket in subscribers.observers}

    def channels(self, version: str, prefix: str = "") -> Iterator[Subscribers]:
        """The channels of one app with subscribers on this node, without those of single users."""
        return (
            subscribers
            for subscribers in self._by_topic.values()
            if subscribers.version == version
            and subscribers.channel.user is None
            and subscribers.channel.name.startswith(prefix)
        )
