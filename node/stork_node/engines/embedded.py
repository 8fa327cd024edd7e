"""The log in files of this publish server, which alone holds it."""

from collections.abc import Iterator, Sequence

from stork_node.engines.consumers import Consumers
from stork_node.engines.interface import Appended, Failed, Known, is_receipt
from stork_node.engines.recent_ids import RecentIds
from stork_node.nodes.log_state import LogState
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.leases import Lease
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.push_log.entries import Addition, Erasure, Followed
from stork_node.push_log.errors import StorageFailed
from stork_node.push_log.interface import PushLog
from stork_node.push_log.segment_files.reading import Page


class EmbeddedEngine:
    """
    A log that is held, and the ids of its last pushes. See ``Engine``.

    Args:
        log: held already; closed with the engine.
        now: the time of ``advance``.

    Raises:
        DamagedLog: damage.
    """

    wake: int | None = None
    consumers: Consumers | None = None

    def __init__(self, log: PushLog, now: float) -> None:
        self._log = log
        self._ids, self._awake = RecentIds(), now
        for age_s, stored in log.recent_ids():
            self._ids.remember(stored, now - age_s)
        for given in log.state.commands.given:
            self._ids.remember_content(given.command)
        self.place = f"log {log.folder}"
        self.run, self.continues = log.run, log.continues

    @property
    def state(self) -> LogState:
        return self._log.state

    @property
    def tail(self) -> Position:
        return self._log.tail

    @property
    def floor(self) -> int:
        return self._log.floor

    @property
    def epochs(self) -> set[str]:
        return self._log.epochs

    @property
    def trouble(self) -> str:
        return self._log.trouble

    def is_current(self, now: float) -> bool:
        return True

    def catch_up(self, sequence: int) -> bool:
        return True

    def advance(self, awake: float) -> None:
        self._awake = awake
        self._ids.forget_old(awake)

    def append(self, additions: Sequence[Addition]) -> list[Appended]:
        new = self._new(additions)
        try:
            entries = self._log.append(list(new.values()))
        except StorageFailed as error:
            failed = Failed(error.reason)
            return [failed if i in new else self._why_not(it, failed) for i, it in enumerate(additions)]
        self._ids.remember_entries(zip(new.values(), entries, strict=True), self._awake)
        if len(new) == len(additions):
            return [entry.position for entry in entries]
        stored = {i: entry.position for i, entry in zip(new, entries, strict=True)}
        return [stored.get(i) or self._why_not(it, _NOT_ACCEPTED) for i, it in enumerate(additions)]

    def _new(self, additions: Sequence[Addition]) -> dict[int, Addition]:
        """What is to be stored, by its index; of equal ids in one batch the first."""
        new: dict[int, Addition] = {}
        ids: set[str] = set()
        for i, addition in enumerate(additions):
            match addition:
                case Push():
                    is_new = self._is_new(addition.id, ids)
                case Command():
                    is_new = i - 1 in new if is_receipt(addition) else self._is_new(addition.id, ids)
                case Erasure():
                    is_new = True
                case _:
                    is_new = self._log.state.accepts(addition)
            if is_new:
                new[i] = addition
        return new

    def _is_new(self, id: str | None, ids: set[str]) -> bool:
        """Whether no document had this id; ``ids`` are those of the batch, and take it."""
        if id is None:
            return True
        if id in ids or self._ids.position(id) is not None:
            return False
        ids.add(id)
        return True

    def _why_not(self, addition: Addition, failed: Failed) -> Appended:
        if not isinstance(addition, Push | Command) or addition.id is None:
            return failed
        position = self._ids.position(addition.id)
        return failed if position is None else Known(position, self._is_reused(addition))

    def _is_reused(self, given: Push | Command) -> bool:
        """Also where the id is from before the start, and of the other kind."""
        is_command = self._log.state.commands.with_id(given.id) is not None
        return self._ids.is_reused(given) or is_command != isinstance(given, Command)

    def follow(self, after: int) -> Followed:
        return self._log.follow(after)

    def read(self, after: int, max_bytes: int) -> Page:
        return self._log.read(after, max_bytes)

    def place_before(self, keep_s: float, keep_bytes: int) -> int:
        return self._log.place_before(keep_s, keep_bytes)

    def erase(self, topic: str) -> Iterator[int]:
        return self._log.erase(topic)

    def begin_new_epoch(self) -> Position:
        return self._log.begin_new_epoch()

    def prove(self, sequence: int) -> str:
        return self._log.prove(sequence)

    def has_given(self, position: Position, run: str, proof: str) -> bool:
        return self._log.has_given(position, run, proof)

    def share_lease(self, lease: Lease) -> None:
        """Nobody else is to know."""

    def take_leases(self) -> list[Lease]:
        return []

    def figures(self, now: float) -> dict[str, float]:
        return self._log.figures()

    def due(self, now: float) -> float:
        return self._log.due(now)

    def tick(self, now: float) -> None:
        self._log.tick(now)

    def close(self) -> None:
        self._log.close()


_NOT_ACCEPTED = Failed("the state of nodes does not accept it")
