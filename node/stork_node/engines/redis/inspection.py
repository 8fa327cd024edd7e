"""Looking at a log on Redis from outside: nothing is written, and no epoch begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stork_node.engines.redis.bodies import frame_of
from stork_node.engines.redis.connection import ScriptConnection
from stork_node.errors import InvalidFrame
from stork_node.protocol.bus import decode_frame
from stork_node.protocol.positions import Position
from stork_node.push_log.entries import PUSH

_PAGE = 500
_EPOCH_ENTRY = 100
_NAMES = ("log", "changed")


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """
    What is kept under a prefix.

    Attributes:
        tail: of the last entry that is committed.
        last: the last number that was given.
        floor: the number before the first entry of this epoch that can still be read.
        entries: in the stream.
        size: bytes of all entries, since the log began.
        wait: how many replicas must have an entry.
    """

    deployment: str
    tail: Position
    last: int
    floor: int
    entries: int
    size: int
    wait: str


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is wrong with the log."""

    number: int
    problem: str


class Inspection:
    """Reads over a connection of its own."""

    def __init__(self, connection: ScriptConnection) -> None:
        self._connection = connection
        prefix = connection.meta.removesuffix("meta")
        self._log, self._changed = (f"{prefix}{name}" for name in _NAMES)

    def info(self) -> EngineInfo | None:
        """
        What is there; None where nobody has used the prefix.

        Raises:
            EngineAway, EngineFull: Redis does not say.
        """
        answer = self._connection.ask("HGETALL", self._connection.meta)
        found = {answer[i].decode(): answer[i + 1].decode() for i in range(0, len(answer), 2)}
        if not found:
            return None
        return EngineInfo(
            found["d"],
            Position(found["e"], int(found["c"])),
            int(found["s"]),
            int(found["f"]),
            int(found["n"]),
            int(found.get("b", 0)),
            found["wait"],
        )

    def frames(self, info: EngineInfo, after: int) -> Iterator[tuple[Position, bytes]]:
        """
        The committed entries after a number, oldest first; no frame where only the number is kept.

        Raises:
            EngineAway, EngineFull: Redis does not say.
        """
        for number, kind, body in self._entries(max(after, info.floor), info.tail.sequence):
            if kind != _EPOCH_ENTRY:
                position = Position(info.tail.epoch, number)
                yield position, frame_of(kind, body, position)

    def damages(self, info: EngineInfo) -> Iterator[Damage]:
        """
        What is wrong with entries, each read once.

        Raises:
            EngineAway, EngineFull: Redis does not say.
        """
        count = self._connection.ask("XLEN", self._log)
        if count != info.entries:
            yield Damage(info.floor, f"the stream has {count:,} entries, and {info.entries:,} were counted")
        for position, frame in self.frames(info, info.floor):
            try:
                if frame:
                    decode_frame(frame)
            except InvalidFrame as error:
                yield Damage(position.sequence, str(error))

    def _entries(self, after: int, until: int) -> Iterator[tuple[int, int, bytes]]:
        changed = self._connection.ask("HGETALL", self._changed)
        left = {int(changed[i]): changed[i + 1] for i in range(0, len(changed), 2)}
        while after < until:
            page: list[Any] = self._connection.ask("XRANGE", self._log, f"({after}-0", f"{until}-0", "COUNT", _PAGE)
            numbers = [int(id.partition(b"-")[0]) for id, _ in page]
            end = numbers[-1] if len(page) == _PAGE else until
            found = {number: (int(fields[1]), fields[3]) for number, (_, fields) in zip(numbers, page, strict=True)}
            found |= {number: (PUSH, body) for number, body in left.items() if after < number <= end}
            for number in sorted(found):
                yield number, *found[number]
            after = end
