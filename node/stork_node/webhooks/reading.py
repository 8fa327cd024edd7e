"""What a webhook tells of the entries of the log: a table of its own, and the events of each change. No I/O."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from stork_node.presence.rows import SavedPresence, restore, save
from stork_node.presence.table import PresenceTable
from stork_node.protocol.bus import PushFrame
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, StateFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges
from stork_node.protocol.presence.snapshots import OnlineUser
from stork_node.protocol.timestamps import format_timestamp
from stork_node.webhooks.pushes import encode_push

MOST_USERS = 500
"""In one part of a resync; of 4 KiB each at most."""

_encode = msgspec.json.Encoder().encode


class Saved(Struct):
    """The table and the names of nodes as of one number; what a webhook starts from."""

    epoch: str
    sequence: int
    nodes: dict[str, str]
    presence: SavedPresence

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.sequence)


_decode = msgspec.json.Decoder(Saved).decode


def encode_saved(table: PresenceTable, nodes: dict[str, str], at: Position) -> bytes:
    """A table as JSON."""
    return _encode(Saved(at.epoch, at.sequence, nodes, save(table)))


def decode_saved(content: bytes) -> Saved | None:
    """What ``encode_saved`` wrote; None for anything else."""
    try:
        return _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class EventReader:
    """
    Args:
        wanted: the names of the events to tell.
        feeds: tell pushes to these, too.

    Attributes:
        table: who is online, as of the last entry that was taken.
        nodes: names of nodes, by incarnation.
    """

    def __init__(self, wanted: Iterable[str], feeds: Sequence[str] = ()) -> None:
        self._wanted, self._feeds = frozenset(wanted), feeds
        self.table = PresenceTable()
        self.nodes: dict[str, str] = {}

    def load(self, saved: Saved) -> None:
        """Begin with a table."""
        self.table, self.nodes = restore(saved.presence), dict(saved.nodes)

    def take(self, frame: StateFrame | PushFrame) -> list[bytes]:
        """Take the next entry; returns its events as JSON, in order."""
        if isinstance(frame, PushFrame):
            told = encode_push(frame, self._feeds)
            return [told] if told else []
        return [_encode(event) for event in self.events(frame) if event["event"] in self._wanted]

    def resync(self, at: Position, reason: str) -> Iterator[bytes]:
        """All who are online, in parts; the table must not change meanwhile."""
        pieces = self._pieces()
        part, piece = 0, next(pieces, {})
        while True:
            following = next(pieces, None)
            event = {"event": "resync", "position": str(at), "reason": reason, "part": part}
            yield _encode({**event, "last": following is None, "topics": piece})
            if following is None:
                return
            part, piece = part + 1, following

    def events(self, frame: StateFrame) -> Iterator[dict[str, Any]]:
        """Take the next entry; all of its events, in order."""
        content, number = frame.content, frame.position.sequence
        position = str(frame.position)
        if isinstance(content, NodeAttached):
            self.nodes[content.incarnation] = content.name
        elif isinstance(content, NodeGone):
            name = self.nodes.pop(content.incarnation, "")
            self.table.end_node(content.incarnation, number)
            gone = {"node": name, "incarnation": content.incarnation, "why": content.why}
            yield {"event": "node_gone", "position": position, **gone}
        elif isinstance(content, PresenceChanges | AbsencesOver):
            yield from self._presence_events(content, position, number)

    def _presence_events(
        self, content: PresenceChanges | AbsencesOver, position: str, number: int
    ) -> Iterator[dict[str, Any]]:
        names = (
            {each.topic for each in content.topics}
            if isinstance(content, PresenceChanges)
            else {topic for topic, *_ in content.absences}
        )
        occupied = {topic for topic in names if topic in self.table.rooms}
        for change in self.table.apply(content, number):
            topic, users = change.topic, self.table.users(change.topic)
            facts = {"position": position, "at": format_timestamp(content.at_ms / 1000), "topic": topic}
            if change.online and topic not in occupied:
                occupied.add(topic)
                yield {"event": "occupied", **facts}
            for authid in change.online:
                if authid in users:
                    yield {"event": "online", **facts, **_shown(authid, users[authid])}
            for authid in change.offline:
                yield {"event": "offline", **facts, "authid": authid}
            if topic in occupied and not users:
                occupied.discard(topic)
                yield {"event": "vacated", **facts}

    def _pieces(self) -> Iterator[dict[str, list[dict[str, Any]]]]:
        rows = ((topic, each) for topic, room in self.table.rooms.items() for each in room.users.items())
        while some := list(islice(rows, MOST_USERS)):
            piece: dict[str, list[dict[str, Any]]] = {}
            for topic, (authid, user) in some:
                piece.setdefault(topic, []).append(_shown(authid, user))
            yield piece


def _shown(authid: str, user: OnlineUser) -> dict[str, Any]:
    return {"authid": authid, "info": user.info, "since": format_timestamp(user.since_ms / 1000)}
