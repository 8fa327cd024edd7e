"""
The push log: every push that is answered ok is on disk first, with its number (docs/delivery.md#log, #position).

    folder/lock                       held by one process; says which
    folder/0000000000000001.segment   a line about who wrote it, records, and a seal once the next one follows
    folder/0000000000262145.segment   …

    publish server → SegmentLog.append → one write; tick → fdatasync, retention
    replay         ← SegmentLog.read   ← pages of frames
    operators      ← inspection, erase
"""

from pathlib import Path

from stork_node.push_log.entries import Entry
from stork_node.push_log.errors import (
    BeyondLog,
    CorruptLog,
    DamagedLog,
    LogInUse,
    MissingSegment,
    StorageFailed,
    UnusableFolder,
)
from stork_node.push_log.headers import Sync
from stork_node.push_log.reading import Page
from stork_node.push_log.segment_log import SegmentLog

__all__ = [
    "BeyondLog",
    "CorruptLog",
    "DamagedLog",
    "Entry",
    "LogInUse",
    "MissingSegment",
    "Page",
    "SegmentLog",
    "StorageFailed",
    "Sync",
    "UnusableFolder",
    "log_folder",
]


def log_folder(data: Path) -> Path:
    """Where the log is in a publish server's data folder (``STORK_DATA``)."""
    return data / "log"
