"""
The presence channels that have clients on this node: what these have been told of the members.

The table of presence says who is online on all nodes. It has a user a moment after the user has joined here; until then
only the user's own connections are told. Information that a user has given first stays until the user is gone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from stork_node.pusher.errors import RoomFull
from stork_node.pusher.members import Member
from stork_node.pusher.presence.frames import MemberList, member_added, member_removed

MOST_MEMBERS = 1_000

# The shell's own objects: hashable, and nothing else is known of them here.
Socket = Any


class Told(NamedTuple):
    """A frame's body for all clients of a channel, but for the connections of the user whom it is about."""

    body: bytes
    exclude: frozenset[Socket]


class _Room:
    __slots__ = ("infos", "list", "shown", "sockets")

    def __init__(self, shown: Mapping[str, bytes]) -> None:
        self.shown = dict(shown)
        self.sockets: dict[str, set[Socket]] = {}
        self.infos: dict[str, bytes] = {}
        self.list: MemberList | None = None

    def has(self, user_id: str) -> bool:
        return user_id in self.shown or user_id in self.sockets

    @property
    def number(self) -> int:
        return len(self.shown) + len(self.sockets.keys() - self.shown.keys())


class Rooms:
    """By topic; a room is there while a client of this node is in it."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {}

    def enter(self, topic: str, online: Mapping[str, bytes], member: Member, socket: Socket) -> bytes:
        """
        One more connection of a user is in a channel.

        Args:
            online: the users of the table with their information.

        Returns:
            The information that the table is to have of the user.

        Raises:
            RoomFull: the channel has as many members as it takes.
        """
        room = self._rooms.get(topic) or _Room(online)
        user_id = member.user_id
        if not room.has(user_id) and room.number >= MOST_MEMBERS:
            raise RoomFull(f"a presence channel has at most {MOST_MEMBERS:,} members")
        self._rooms[topic] = room
        info = room.infos.setdefault(user_id, room.shown.get(user_id, member.info))
        room.sockets.setdefault(user_id, set()).add(socket)
        return info

    def exit(self, topic: str, user_id: str, socket: Socket) -> None:
        """It is there no more."""
        room = self._rooms[topic]
        sockets = room.sockets[user_id]
        sockets.discard(socket)
        if not sockets:
            del room.sockets[user_id], room.infos[user_id]
        if not room.sockets:
            del self._rooms[topic]

    def members(self, topic: str, user_id: str) -> bytes:
        """The JSON of all members that a connection of this user is told (``MemberList``)."""
        room = self._rooms[topic]
        if room.list is None:
            room.list = MemberList(room.shown)
        return room.list.as_it_is() if user_id in room.shown else room.list.with_one(user_id, room.infos[user_id])

    def shown(self, topic: str) -> Mapping[str, bytes]:
        """The members of the table, with their information, as they are now."""
        return dict(self._rooms[topic].shown)

    def changes(self, topic: str, user_id: str, before: Mapping[str, bytes]) -> Iterator[bytes]:
        """The bodies of frames for a connection of this user that was told the members of ``before``."""
        now = self._rooms[topic].shown
        for other in before.keys() - now.keys() - {user_id}:
            yield member_removed(other)
        for other in now.keys() - before.keys() - {user_id}:
            yield member_added(other, now[other])

    def changed(self, topic: str, online: Iterable[tuple[str, bytes]], offline: Iterable[str]) -> Iterator[Told]:
        """Take a change of the table; returns what the clients of this node are to be told."""
        room = self._rooms.get(topic)
        if room is None:
            return
        for user_id, info in online:
            if user_id not in room.shown:
                room.shown[user_id], room.list = info, None
                yield Told(member_added(user_id, info), frozenset(room.sockets.get(user_id, ())))
        for user_id in offline:
            if room.shown.pop(user_id, None) is not None:
                room.list = None
                yield Told(member_removed(user_id), frozenset(room.sockets.get(user_id, ())))
