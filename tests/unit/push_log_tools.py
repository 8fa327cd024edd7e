"""Tools for tests of the push log: a clock, a machine, pushes, and a log that dies like a killed process."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stork_node.protocol.push import Push
from stork_node.push_log import Entry, PushLog, SegmentLog
from stork_node.push_log.epochs import Machine
from tests.malformed import NOW

HERE = Machine("boot-1", "machine-1")
REBOOTED = Machine("boot-2", "machine-1")
ELSEWHERE = Machine("boot-1", "machine-2")
NOWHERE = Machine("", "")


class Clock:
    """Seconds since 1970, as a test says."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def push(number: int = 0, topics: Iterable[str] = ("v1.orders.42",), **more: Any) -> Push:
    """A push of its own for each number."""
    return Push(tuple(topics), "order_paid", b'{"id":%d}' % number, NOW, **more)


def pushes(count: int, **more: Any) -> list[Push]:
    """Pushes 0 to ``count - 1``."""
    return [push(number, **more) for number in range(count)]


def open_log(folder: Path, **settings: Any) -> SegmentLog:
    """A log on the machine ``HERE``."""
    return SegmentLog(folder, **({"machine": HERE, "clock": Clock()} | settings))


def kill(log: SegmentLog) -> None:
    """Let go of a log as the end of the process does: its thread is gone, its descriptors close."""
    if writing := log._state_file._writing:
        writing.join()
    log._chain.abandon()
    log._lock.close()


def erase_all(log: PushLog, topic: str) -> int:
    """Erase a topic; returns how many pushes were found."""
    return sum(log.erase(topic))


def frames(entries: Iterable[Entry]) -> list[bytes]:
    """The frames to publish."""
    return [entry.frame for entry in entries]


def read_all(log: SegmentLog, after: int | None = None, max_bytes: int = 1 << 20) -> list[bytes | None]:
    """All frames after ``after``, or after the floor, page by page."""
    found: list[bytes | None] = []
    at = log.floor if after is None else after
    while at < log.tail.sequence:
        page = log.read(at, max_bytes)
        assert page.after == at
        assert page.last > at
        found += page.frames
        at = page.last
    return found


def segment_files(folder: Path) -> list[Path]:
    """The segments' files, oldest first."""
    return sorted(folder.glob("*.segment"))
