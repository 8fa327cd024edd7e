"""The log on disk: numbers pushes, and keeps them for replay."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from stork_node.clock import SteadyWall
from stork_node.nodes.log_state import LogState
from stork_node.protocol.positions import Position, new_run
from stork_node.protocol.push import Push
from stork_node.push_log.entries import Addition, Entry, Erasure, Followed, number_entries
from stork_node.push_log.epochs import Machine, this_machine, with_new_epoch
from stork_node.push_log.errors import BeyondLog, CorruptLog, StorageFailed
from stork_node.push_log.interface import Stored
from stork_node.push_log.opening import open_folder
from stork_node.push_log.proofs import Proofs
from stork_node.push_log.segment_files.erasing import erase_topic
from stork_node.push_log.segment_files.headers import Sync
from stork_node.push_log.segment_files.places import place_before
from stork_node.push_log.segment_files.reading import Page, read_page
from stork_node.push_log.segment_files.recent_ids import IDS_KEPT, IDS_KEPT_S, newest_kept_ms, recent_ids
from stork_node.push_log.segment_files.records import encode_record
from stork_node.push_log.state_file import StateFile
from stork_node.push_log.upkeep import MOVED, Upkeep

log = logging.getLogger("stork_node.push_log")

_NO_STATE = "cannot keep the state of nodes"


class SegmentLog:
    """
    Holds the log in ``folder``: nobody else can until ``close``. To be used by one thread.

    Args:
        folder: made if it is not there.
        sync: when what is written is forced to disk: once a second, by ``tick``; before ``append`` returns; or never
            before the end of a segment.
        retention_s: how long a push can be replayed; it stays up to a tenth longer.
        retention_bytes: how much is kept; one segment more may be.
        segment_bytes: size of a segment; a quarter of ``retention_bytes`` at most.
        clock: seconds since 1970, without steps; by default the wall clock's of now, counted on. Where the last push is
            from later, it counts on from there.
        machine: where this process runs.

    Attributes:
        run: names this holding of the log on the bus.
        continues: whether it goes on with numbers of an epoch that there was before.
        state: the nodes and the commands, as of the tail.

    Raises:
        LogInUse: another process holds it.
        DamagedLog: damage that a crash does not explain.
        UnusableFolder: the system refuses something.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync: Sync = "second",
        retention_s: float = 3600.0,
        retention_bytes: int = 1 << 30,
        segment_bytes: int = 64 << 20,
        clock: Callable[[], float] | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.folder, self._clock = folder, clock or SteadyWall()
        self.run = new_run()
        segment_bytes = min(segment_bytes, retention_bytes // 4)
        opened = open_folder(folder, machine or this_machine(), sync, segment_bytes, self._now_ms())
        self._lock, self._chain, self.continues = opened.lock, opened.chain, opened.continues
        self._proofs = Proofs(self._chain.origin.key)
        self._clock = _not_before(self._newest_ms() / 1000, self._clock)
        self._upkeep = Upkeep(folder, self._lock, self._chain, retention_s, retention_bytes, self._clock)
        self._closed = False
        self._latest: Sequence[Entry] = ()
        self._unreadable = 0  # sequence up to which nothing can be replayed: there is damage
        self._state_file = StateFile(folder)
        self.state = self._state_file.load(self)
        if self._state_file.is_due(self.tail, 0.0):
            self._upkeep.attempt(_NO_STATE, lambda: self._state_file.save(self.state, self.tail, 0.0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def tail(self) -> Position:
        """The position of the last push; retention does not change it."""
        return self._chain.tail

    @property
    def epochs(self) -> set[str]:
        """The tail's epoch, those of what can still be read, and those that the log had before."""
        readable = {segment.header.origin.epoch for segment in self._chain.segments}
        return readable | {self.tail.epoch, *self._chain.origin.former}

    @property
    def floor(self) -> int:
        """The sequence before the first push of this epoch that can still be read; at most the tail's."""
        return max(self._chain.floor, self._unreadable)

    @property
    def size(self) -> int:
        """Bytes in the segments."""
        return self._chain.size

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self._chain.segments)

    @property
    def oldest_age_s(self) -> float:
        """How old the oldest push is, or the segment that holds it at most; 0 where there is none."""
        oldest = next((segment for segment in self._chain.segments if not segment.is_empty), None)
        return max(0.0, self._clock() - oldest.oldest_ms / 1000) if oldest else 0.0

    @property
    def trouble(self) -> str:
        """What the system refuses now, besides appends; empty when all is well."""
        return self._upkeep.trouble

    def append(self, additions: Sequence[Addition]) -> list[Entry]:
        """
        Number and store a batch, whole or not at all, with one write.

        Raises:
            StorageFailed: none of it is stored, and no number is used up; to be tried again.
        """
        if not additions:
            return []
        now_ms = self._now_ms()
        entries = list(number_entries(additions, self.tail, self.run, self._proofs))
        records = [
            encode_record(each.kind, i == 0, each.position.sequence, now_ms, each.id.encode(), each.kept)
            for i, each in enumerate(entries)
        ]
        self._write(b"".join(records), entries[-1].position.sequence, now_ms)
        self._latest = entries
        for addition, entry in zip(additions, entries, strict=True):
            match addition:
                case Push() | Erasure():
                    pass
                case _:
                    self.state.apply(addition, entry.position.sequence)
                    self._state_file.note_change()
        return entries

    def follow(self, after: int) -> Followed:
        """As ``PushLog``."""
        latest = self._latest
        if latest and after == latest[0].position.sequence - 1 and latest[-1].position == self.tail:
            return Followed([entry.frame for entry in latest], self.tail)
        page = self.read(after)
        return Followed([frame for frame in page.frames if frame], Position(self.tail.epoch, page.last))

    def read(self, after: int, max_bytes: int = 1 << 20) -> Page:
        """
        Read what follows sequence ``after``: one push at least, unless that is the tail's.

        Args:
            after: of this epoch, from ``floor`` to the tail's.
            max_bytes: of the page, unless its only push is larger.

        Raises:
            BeyondLog: not that far back, or damaged there, which raises ``floor``; or ``after`` is past the tail.
        """
        tail = self.tail.sequence
        if not self.floor <= after <= tail:
            raise BeyondLog(after, self.floor, tail)
        if after == tail:
            return Page(after, [])
        segment = self._chain.holding(after + 1)
        try:
            return read_page(segment, after, max_bytes)
        except CorruptLog as damage:
            log.error("pushes up to %d cannot be replayed any more: %s", segment.last, damage)
            self._unreadable = segment.last
            raise BeyondLog(after, self.floor, tail) from damage

    def place_before(self, keep_s: float, keep_bytes: int) -> int:
        """
        Where to ``read`` after for no more than is of use: pushes of the last ``keep_s``, and ``keep_bytes`` at most.

        It may be some 64 KiB more.
        """
        of_epoch = [it for it in self._chain.segments if it.header.origin.epoch == self.tail.epoch]
        place = place_before(of_epoch, self._now_ms() - int(keep_s * 1000), keep_bytes)
        return self.floor if place is None else max(place, self.floor)

    def recent_ids(self, since_s: float = IDS_KEPT_S, limit: int = IDS_KEPT) -> list[tuple[float, Stored]]:
        """
        The ids of the last pushes, oldest first: how old, in seconds, with the ids of that age.

        The time during which no process held the log does not count: an answer that was lost with the process may be
        asked for again when there is another one.

        Raises:
            CorruptLog: damage.
        """
        segments = self._chain.segments
        held_ms = max(self._newest_ms(), int((self._lock.last_held or 0) * 1000))
        found = recent_ids(self.folder, segments, held_ms - int(since_s * 1000), limit)
        return [((held_ms - time_ms) / 1000, stored) for time_ms, stored in found]

    def begin_new_epoch(self) -> Position:
        """Give no more numbers of this epoch, since somebody has seen more of them; returns the new tail."""
        before = self.tail
        self._chain.origin = with_new_epoch(self._chain.origin)
        self._proofs = Proofs(self._chain.origin.key)
        log.warning("the log begins a new epoch after %s: %s", before, self._chain.origin.epoch)
        self._upkeep.attempt("cannot begin a segment", lambda: self._chain.roll(self._now_ms()))
        self.state = LogState(self.tail, self.state.revoked, is_settled=False, awaited=self.state.awaited_next())
        self._state_file.note_change()
        return self.tail

    def erase(self, topic: str) -> Iterator[int]:
        """As ``PushLog``: remove what was pushed to a topic, in steps of some 0.1 s."""
        try:
            if self._chain.writer and not self._chain.writer.segment.is_empty:
                self._chain.roll(self._now_ms())
            for segment in [segment for segment in self._chain.segments if segment.seal]:
                steps = erase_topic(segment, topic, self._now_ms() - int(IDS_KEPT_S * 1000))
                # It may expire meanwhile.
                while segment in self._chain.segments and (number := next(steps, None)) is not None:
                    yield number
        except OSError as error:
            raise self._failed(error) from None

    def prove(self, sequence: int) -> str:
        """As ``PushLog``."""
        return self._proofs.of(Position(self.tail.epoch, sequence), self.run)

    def has_given(self, position: Position, run: str, proof: str) -> bool:
        """As ``PushLog``."""
        return self._proofs.holds(proof, position, run)

    def figures(self) -> dict[str, float]:
        """Its state for metrics, by name."""
        return {
            "log_bytes": self.size,
            "log_segments": self.segments,
            "log_nodes": len(self.state.nodes),
            "log_pushes": self.tail.sequence - self.floor,
            "log_oldest_age_s": round(self.oldest_age_s, 3),
            "log_trouble": int(self.trouble != ""),
        }

    def due(self, now: float) -> float:
        """Seconds until ``tick`` has something to do."""
        return self._upkeep.due(now)

    def tick(self, now: float) -> None:
        """
        Force to disk what is not there, begin segments, delete old ones: to be called each second, or more often.

        Args:
            now: seconds of a clock that never goes back.
        """
        self._upkeep.tick(now)
        self._save_state(now)

    def _save_state(self, now: float) -> None:
        if self._state_file.is_due(self.tail, now) and not self._upkeep.is_moved():
            self._upkeep.attempt(_NO_STATE, lambda: self._state_file.save_behind(self.state, self.tail, now))

    def close(self) -> None:
        """End the log so that its epoch goes on, and let go of it; the second time, do nothing."""
        if self._closed:
            return
        self._closed = True
        if not self._upkeep.is_moved():
            self._upkeep.attempt(_NO_STATE, lambda: self._state_file.save(self.state, self.tail, 0.0))
            self._upkeep.attempt("it is not closed", lambda: self._chain.close(self._now_ms()))
        self._chain.abandon()
        self._lock.close()

    def _write(self, batch: bytes, last: int, now_ms: int) -> None:
        if self._upkeep.is_moved():
            raise StorageFailed(f"{MOVED} (the log in {self.folder})")
        try:
            self._chain.writer_for(len(batch), now_ms).append(batch, last, now_ms)
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(f"{error.strerror or error} (the log in {self.folder})")

    def _newest_ms(self) -> int:
        """When the last push was stored of which anything is known, in ms since 1970; 0 where there is none."""
        segments = (segment.newest_ms for segment in self._chain.segments if not segment.is_empty)
        return max(*segments, newest_kept_ms(self.folder), 0)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _not_before(start: float, clock: Callable[[], float]) -> Callable[[], float]:
    """
    ``clock``, counted on from ``start`` where it is behind that.

    The machine's clock was set back since: ages and the order of times would be wrong.
    """
    ahead_s = start - clock()
    return clock if ahead_s <= 0 else lambda: clock() + ahead_s
