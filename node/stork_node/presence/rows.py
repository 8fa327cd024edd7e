"""The table of presence as values, for the state file and for nodes that begin."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from stork_node.presence.table import PresenceTable
from stork_node.protocol.presence.snapshots import PART_BYTES, Absence, Room

_USERS = 100  # of 4 KiB each at most
_ABSENCES = 1_000


class SavedPresence(Struct):
    """The whole table."""

    is_settled: bool
    rooms: dict[str, Room]
    absent: list[Absence]


class Part(Struct, frozen=True):
    """Some of the table: ``rooms`` are written as JSON already."""

    rooms: tuple[Raw, ...] = ()
    absent: tuple[Absence, ...] = ()


def save(table: PresenceTable) -> SavedPresence:
    """The table as it is now, to be written at once."""
    return SavedPresence(table.is_settled, table.rooms, list(_absences(table)))


def restore(saved: SavedPresence) -> PresenceTable:
    """The table of ``save``."""
    table = PresenceTable(saved.is_settled)
    add_rows(table, saved.rooms.items(), saved.absent)
    return table


def add_rows(table: PresenceTable, rooms: Iterable[tuple[str, Room]], absent: Iterable[Absence]) -> None:
    """Add users to a table."""
    for topic, room in rooms:
        table.add(topic, room)
    for topic, authid, number in absent:
        table.absent[topic, authid] = number


def split(table: PresenceTable) -> Iterator[Part]:
    """The table in parts of some size; a large topic is in several. There is one part at least."""
    pieces: list[Raw] = []
    size = 0
    for piece in _pieces(table):
        if pieces and size + len(piece) > PART_BYTES:
            yield Part(tuple(pieces))
            pieces, size = [], 0
        pieces.append(Raw(piece))
        size += len(piece)
    absent = _absences(table)
    some = tuple(islice(absent, _ABSENCES))
    yield Part(tuple(pieces), some)
    while some := tuple(islice(absent, _ABSENCES)):
        yield Part((), some)


def _pieces(table: PresenceTable) -> Iterator[bytes]:
    for topic, room in table.rooms.items():
        users = iter(room.users.items())
        while some := dict(islice(users, _USERS)):
            piece: tuple[Any, ...] = (topic, Room(room.wait_ms, some))
            yield encode(piece)


def _absences(table: PresenceTable) -> Iterator[Absence]:
    return ((topic, authid, number) for (topic, authid), number in table.absent.items())
