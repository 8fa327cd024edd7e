"""
The table of presence: who is online in each topic, as the entries of the log tell.

A user is online while one node at least has a session of it. When the last of them goes, an absence begins. Its end is
an entry, too, and changes nothing for a user who has come back. So equal positions have equal tables.
"""

from collections.abc import Iterable, Iterator

from msgspec import Raw, Struct

from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges, PresenceEntry, TopicChanges
from stork_node.protocol.presence.snapshots import NO_INFO, OnlineUser, Room


class Change(Struct, frozen=True):
    """What one entry has changed in one topic, as everybody sees it. ``online`` has also users with a new ``info``."""

    topic: str
    online: list[str]
    offline: list[str]


class PresenceTable:
    """
    Attributes:
        rooms: by topic; none is empty.
        absent: the number of the entry since which nobody has a user, by topic and user; they count as online.
        is_settled: False in a new epoch, until every node has had the time to report.
    """

    def __init__(self, is_settled: bool = True) -> None:
        self.rooms: dict[str, Room] = {}
        self.absent: dict[tuple[str, str], int] = {}
        self.is_settled = is_settled
        self._sets: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __len__(self) -> int:
        """Users, counted once for each topic."""
        return sum(len(room.users) for room in self.rooms.values())

    def by_feed(self, known: Iterable[str]) -> dict[str, int]:
        """Users by feed (``v1.room``), counted once for each topic: of the known feeds, and of all others together."""
        counts = dict.fromkeys(known, 0)
        for topic, room in self.rooms.items():
            feed = topic.rpartition(".")[0]
            feed = feed if feed in counts else "other"
            counts[feed] = counts.get(feed, 0) + len(room.users)
        return counts

    def users(self, topic: str) -> dict[str, OnlineUser]:
        """Who is online in a topic, in the order in which they came."""
        room = self.rooms.get(topic)
        return room.users if room else {}

    def apply(self, entry: PresenceEntry, number: int) -> list[Change]:
        """Take an entry that has got its number; returns what it changes for those who look."""
        if isinstance(entry, PresenceChanges):
            changes = [self._change(entry, each, number) for each in entry.topics]
        elif isinstance(entry, AbsencesOver):
            changes = list(self._end_absences(entry))
        else:
            self.is_settled = True
            changes = []
        return [change for change in changes if change.online or change.offline]

    def end_node(self, incarnation: str, number: int) -> None:
        """A node is gone, and with it what it had; its users may come back on another, so that nothing is told yet."""
        for topic, room in self.rooms.items():
            for authid, user in room.users.items():
                if incarnation in user.on:
                    user.on = self._without(user.on, incarnation)
                    if not user.on:
                        self.absent[topic, authid] = number

    def add(self, topic: str, room: Room) -> None:
        """Add users as a snapshot has them."""
        users = self._room(topic, room.wait_ms).users
        times: dict[int, int] = {}  # users who came at once share a number
        for authid, user in room.users.items():
            user.since_ms = times.setdefault(user.since_ms, user.since_ms)
            user.on = self._shared(user.on)
            user.info = _own(user.info)
            users[authid] = user

    def _change(self, entry: PresenceChanges, changes: TopicChanges, number: int) -> Change:
        topic = changes.topic
        room = self._room(topic, changes.wait_ms)
        room.wait_ms = changes.wait_ms
        online = []
        for authid in changes.on:
            info = changes.info.get(authid)
            if self._add(topic, room, authid, NO_INFO if info is None else _own(info), entry):
                online.append(authid)
        waits = ((changes.off, changes.wait_ms), (changes.left, 0))
        offline = [
            authid
            for authids, wait_ms in waits
            for authid in authids
            if self._remove(topic, room, authid, entry.incarnation, number, wait_ms)
        ]
        self._sweep(topic, room)
        return Change(topic, online, offline)

    def _add(self, topic: str, room: Room, authid: str, info: Raw, entry: PresenceChanges) -> bool:
        user = room.users.get(authid)
        if user is None:
            room.users[authid] = OnlineUser(entry.at_ms, self._shared((entry.incarnation,)), info)
            return True
        if entry.incarnation not in user.on:
            user.on = self._shared(tuple(sorted((*user.on, entry.incarnation))))
            self.absent.pop((topic, authid), None)
        is_new, user.info = user.info != info, info
        return is_new

    def _remove(self, topic: str, room: Room, authid: str, incarnation: str, number: int, wait_ms: int) -> bool:
        """Whether the user is offline by that."""
        user = room.users.get(authid)
        if user is None or incarnation not in user.on:
            return False
        user.on = self._without(user.on, incarnation)
        if user.on:
            return False
        if wait_ms:
            self.absent[topic, authid] = number
            return False
        del room.users[authid]
        return True

    def _end_absences(self, entry: AbsencesOver) -> Iterator[Change]:
        by_topic: dict[str, list[str]] = {}
        for topic, authid, number in entry.absences:
            if self.absent.get((topic, authid)) == number:
                del self.absent[topic, authid]
                del self.rooms[topic].users[authid]
                by_topic.setdefault(topic, []).append(authid)
        for topic, offline in by_topic.items():
            self._sweep(topic, self.rooms[topic])
            yield Change(topic, [], offline)

    def _room(self, topic: str, wait_ms: int) -> Room:
        room = self.rooms.get(topic)
        if room is None:
            room = self.rooms[topic] = Room(wait_ms, {})
        return room

    def _sweep(self, topic: str, room: Room) -> None:
        if not room.users:
            self.rooms.pop(topic, None)

    def _without(self, on: tuple[str, ...], incarnation: str) -> tuple[str, ...]:
        return self._shared(tuple(each for each in on if each != incarnation))

    def _shared(self, on: tuple[str, ...]) -> tuple[str, ...]:
        """One object for all users with the same nodes."""
        if len(self._sets) > 10_000:
            self._sets.clear()
        return self._sets.setdefault(on, on)


def _own(info: Raw) -> Raw:
    """A copy, which does not keep the whole frame."""
    return NO_INFO if info == NO_INFO else Raw(bytes(info))
