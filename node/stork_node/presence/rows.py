"""The table of presence as rows, for the state file and for nodes that begin."""

from collections.abc import Iterable, Iterator

from msgspec import Raw, Struct

from stork_node.presence.table import OnlineUser, PresenceTable
from stork_node.protocol.presence.snapshots import PART_BYTES, TopicRows, UserRow

_ROW_BYTES = 40  # what a row has besides its texts


class SavedPresence(Struct):
    """The whole table; ``on`` of a row has places in ``incarnations``."""

    incarnations: list[str]
    is_settled: bool
    topics: list[TopicRows]


def save(table: PresenceTable) -> SavedPresence:
    """The table as rows."""
    places: dict[str, int] = {}
    topics = [
        TopicRows(topic, room.wait_ms, tuple(_row(table, topic, authid, user, places) for authid, user in users))
        for topic, room in table.rooms.items()
        for users in [room.users.items()]
    ]
    return SavedPresence(list(places), table.is_settled, topics)


def restore(saved: SavedPresence) -> PresenceTable:
    """The table of ``save``."""
    table = PresenceTable(saved.is_settled)
    add_rows(table, saved.incarnations, saved.topics)
    return table


def add_rows(table: PresenceTable, incarnations: Iterable[str], topics: Iterable[TopicRows]) -> None:
    """Add rows to a table."""
    names = tuple(incarnations)
    times: dict[int, int] = {}  # users who came at once share a number
    for each in topics:
        for row in each.users:
            since_ms = times.setdefault(row.since_ms, row.since_ms)
            user = OnlineUser(since_ms, tuple(names[place] for place in row.on), bytes(row.info))
            table.set_row(each.topic, each.wait_ms, row.authid, user, row.absent)


def split(saved: SavedPresence) -> Iterator[tuple[TopicRows, ...]]:
    """The topics in parts of some size; a large topic is in several. There is one part at least."""
    part: list[TopicRows] = []
    size = 0
    for topic in saved.topics:
        begun = 0
        for place, row in enumerate(topic.users):
            size += _ROW_BYTES + 2 * len(row.authid) + len(bytes(row.info))
            if size >= PART_BYTES:
                part.append(TopicRows(topic.topic, topic.wait_ms, topic.users[begun : place + 1]))
                yield tuple(part)
                part, size, begun = [], 0, place + 1
        size += _ROW_BYTES + len(topic.topic)
        if begun < len(topic.users):
            part.append(TopicRows(topic.topic, topic.wait_ms, topic.users[begun:]))
    yield tuple(part)


def _row(table: PresenceTable, topic: str, authid: str, user: OnlineUser, places: dict[str, int]) -> UserRow:
    on = tuple(places.setdefault(each, len(places)) for each in user.on)
    return UserRow(authid, user.since_ms, on, table.absent.get((topic, authid), 0), Raw(user.info))
