"""Looking at a log from outside, also while a publish server holds it: nothing is written, and nothing locked."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stork_node.protocol.positions import Position
from stork_node.push_log.epochs import this_machine
from stork_node.push_log.errors import DamagedLog, UnusableFolder
from stork_node.push_log.lock import holder
from stork_node.push_log.segment_files.records import Record
from stork_node.push_log.segment_files.recovery import check_follows, find_end, survey
from stork_node.push_log.segment_files.segments import Segment, check_sealed, open_segment, segment_paths

_TRIES = 10
_PAUSE_S = 0.05  # between them: segments are deleted many at once


@dataclass(frozen=True, slots=True)
class LogInfo:
    """
    What is in a log.

    Attributes:
        holder: who holds it, such as ``process 17 on hostname``; empty where nobody does.
        tail: of the last push; None for a log that nobody has opened yet.
        floor: sequence before the first of the tail's epoch.
        epochs: all that there are pushes of, oldest first.
        pushes: in all epochs.
        size: bytes in all segments.
        oldest_ms: time of the oldest segment's last push, since 1970; None where there is no push.
        newest_ms: time of the last push; None where there is none.
        sync: of the publish server that wrote it last.
        closed: whether it was closed after the last push.
    """

    folder: Path
    holder: str
    tail: Position | None
    floor: int
    epochs: tuple[str, ...]
    segments: int
    pushes: int
    size: int
    oldest_ms: int | None
    newest_ms: int | None
    sync: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """
    One segment that was read through.

    Attributes:
        problem: what is wrong with it; empty where nothing is.
        pending: what is after its last push, and is being written, or going to be cut off; empty where nothing is.
    """

    file: Path
    pushes: int
    size: int
    problem: str
    pending: str


def read_info(folder: Path) -> LogInfo:
    """
    Say what is in a log; only its newest segment is read.

    Raises:
        DamagedLog: damage that a crash does not explain.
        UnusableFolder: it cannot be read.
    """
    segments = _survey(folder)
    newest = segments[-1] if segments else None
    epoch = newest.header.origin.epoch if newest else ""
    of_epoch = [segment for segment in segments if segment.header.origin.epoch == epoch]
    filled = [segment for segment in segments if not segment.is_empty]
    return LogInfo(
        folder,
        holder(folder),
        Position(epoch, newest.last) if newest else None,
        of_epoch[0].header.first - 1 if of_epoch else 0,
        tuple(dict.fromkeys(segment.header.origin.epoch for segment in segments)),
        len(segments),
        newest.last - segments[0].header.first + 1 if newest else 0,
        sum(segment.size for segment in segments),
        filled[0].newest_ms if filled else None,
        filled[-1].newest_ms if filled else None,
        newest.header.origin.sync if newest else "",
        newest is not None and newest.seal is not None and newest.seal.closed,
    )


def verify(folder: Path) -> Iterator[Checked]:
    """
    Read every segment through, oldest first, and go on after damage.

    Raises:
        UnusableFolder: it cannot be read.
    """
    before: Segment | None = None
    for path in _paths(folder):
        pushes, problem, pending = 0, "", ""
        segment = None
        try:
            size = path.stat().st_size
            segment = open_segment(path)
            if before and before.path.exists():  # else it has expired meanwhile
                check_follows(before, segment)
            if segment.seal:
                check_sealed(segment)
            elif cut := find_end(segment, this_machine()):
                pending = f"{cut.size:,} bytes: {cut.reason}"
            pushes = sum(1 for _ in segment.records())
        except (DamagedLog, FileNotFoundError) as damage:
            if not path.exists():
                continue  # it has expired meanwhile
            problem = str(damage)
        yield Checked(path, pushes, size, problem, pending)
        before = segment


def read_records(folder: Path, after: int = 0) -> Iterator[tuple[Position, Record]]:
    """
    The pushes after sequence ``after``, of all epochs, oldest first.

    Raises:
        DamagedLog: damage that a crash does not explain.
        UnusableFolder: it cannot be read.
    """
    for segment in _survey(folder):
        if segment.last <= after:
            continue
        epoch = segment.header.origin.epoch
        try:
            for record in segment.records():
                if record.sequence > after:
                    yield Position(epoch, record.sequence), record
        except DamagedLog:
            if segment.path.exists():  # else it has expired meanwhile
                raise


def _survey(folder: Path) -> list[Segment]:
    """As ``survey``, with the end of the newest; segments may come and go meanwhile."""
    for left in reversed(range(_TRIES)):
        paths = _paths(folder)
        try:
            segments = survey(folder)
            if segments and not segments[-1].seal:
                find_end(segments[-1], this_machine())
            return segments
        except (FileNotFoundError, DamagedLog):
            if not left or paths == _paths(folder):
                raise
        time.sleep(_PAUSE_S)
    raise AssertionError


def _paths(folder: Path) -> list[Path]:
    try:
        return segment_paths(folder)
    except OSError as error:
        raise UnusableFolder(folder, error.strerror or str(error)) from None
