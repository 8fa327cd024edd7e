"""Presence channels of this node: between their clients, and the table of presence that all nodes have."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stork_components.presence import Presence, Watcher
from stork_crossbar.pusher.socket import PusherSocket
from stork_node.pusher.channels import Channel, channel_of
from stork_node.pusher.members import Member
from stork_node.pusher.presence.rooms import Rooms


class ChannelPresence:
    """
    Args:
        find_relay: returns the relay of this process; None before it has started.
    """

    def __init__(self, find_relay: Callable[[], Any]) -> None:
        self._find_relay = find_relay
        self._rooms = Rooms()
        self._watched: Presence | None = None
        self._watchers: list[Watcher] = []
        self._waiting: list[Callable[[], None]] = []

    def join(self, socket: PusherSocket, topic: str, member: Member) -> bool:
        """
        A client is a member of a presence channel; False if this node does not know who is online.

        Raises:
            RoomFull: the channel has as many members as it takes.
        """
        presence = self.known()
        if presence is None:
            return False
        online = {user: bytes(each.info) for user, each in presence.users(topic).items()}
        info = self._rooms.enter(topic, online, member, socket)
        presence.join(topic, member.user_id, int(socket.connection.app.leave_after_s * 1000), info)
        return True

    def leave(self, socket: PusherSocket, topic: str, member: Member, has_left: bool) -> None:
        """It is no member any more; ``has_left``: nobody waits for it to come back."""
        self._rooms.exit(topic, member.user_id, socket)
        presence = self.known()
        if presence is not None:
            presence.leave(topic, member.user_id, has_left)

    def members(self, topic: str, member: Member) -> bytes:
        """The JSON of all members that a member is told."""
        return self._rooms.members(topic, member.user_id)

    def shown(self, topic: str) -> Mapping[str, bytes]:
        """The members that the clients of this node have been told of, with their information."""
        return self._rooms.shown(topic)

    def changes(self, topic: str, member: Member, shown: Mapping[str, bytes]) -> Iterable[bytes]:
        """What a member is to be told who was told of these."""
        return self._rooms.changes(topic, member.user_id, shown)

    def users(self, topic: str) -> list[str]:
        """The ids of all members on all nodes, as this node knows them."""
        presence = self.known()
        return list(presence.users(topic)) if presence else []

    def channels(self, version: str, prefix: str) -> Iterable[tuple[Channel, int]]:
        """The presence channels of an app with members on any node, and how many these are."""
        presence = self.known()
        for topic, room in presence.here.table.rooms.items() if presence else ():
            channel = channel_of(topic, version)
            if channel is not None and channel.is_presence and channel.name.startswith(prefix):
                yield channel, len(room.users)

    def watch(self, watcher: Watcher) -> None:
        """Tell each change of the table to this watcher, too."""
        self._watchers.append(watcher)

    def when_known(self, then: Callable[[], None]) -> None:
        """Call this once, when this node knows who is online."""
        self._waiting.append(then)

    def known(self) -> Presence | None:
        """The table of presence; None before this node knows who is online."""
        if self._watched is not None:
            return self._watched
        relay = self._find_relay()
        presence: Presence | None = getattr(relay, "presence", None)
        if presence is None or not presence.here.followed.is_known:
            return None
        presence.watch(self._changed)
        self._watched = presence
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()
        return presence

    def _changed(self, topic: str, online: Sequence[str], offline: Sequence[str]) -> None:
        assert self._watched is not None  # noqa: S101  # it calls this
        for watcher in self._watchers:
            watcher(topic, online, offline)
        users = self._watched.users(topic)
        came = [(user, bytes(users[user].info)) for user in online]
        for told in self._rooms.changed(topic, came, offline):
            self._find_relay().broadcaster.tell(topic, told.body, told.exclude)
