"""
The push log: every push that is answered ok is on disk first, with its number (docs/delivery.md#log, #position).

    folder/lock                       held by one process; says which
    folder/0000000000000001.segment   a line about who wrote it, and the log's key; records; a seal
    folder/0000000000262145.segment   …

    publish server → append → one write; follow → frames for the bus; tick → fdatasync, retention
    replay         ← read   ← pages of frames
    operators      ← inspection, erase

``PushLog`` is what the publish server knows of it; ``SegmentLog`` is the one that keeps it in these files.
"""

from pathlib import Path

from stork_node.push_log.entries import Addition, Entry, Erasure, Followed
from stork_node.push_log.errors import (
    BeyondLog,
    CorruptLog,
    DamagedLog,
    LogInUse,
    MissingSegment,
    StorageFailed,
    UnusableFolder,
)
from stork_node.push_log.interface import PushLog
from stork_node.push_log.segment_files.headers import Sync
from stork_node.push_log.segment_files.reading import Page
from stork_node.push_log.segment_log import SegmentLog

__all__ = [
    "Addition",
    "BeyondLog",
    "CorruptLog",
    "DamagedLog",
    "Entry",
    "Erasure",
    "Followed",
    "LogInUse",
    "MissingSegment",
    "Page",
    "PushLog",
    "SegmentLog",
    "StorageFailed",
    "Sync",
    "UnusableFolder",
    "log_folder",
]


def log_folder(data: Path) -> Path:
    """Where the log is in a publish server's data folder (``STORK_DATA``)."""
    return data / "log"
