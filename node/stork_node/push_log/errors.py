"""
What can go wrong with the log.

    StorkError
    ├── StorageFailed       a batch that could not be written; the log goes on by itself
    ├── BeyondLog           a replay from where the log does not reach, or does not reach any more
    ├── DamagedLog          files that a crash does not explain
    │   ├── CorruptLog      … bytes that are not what was written
    │   └── MissingSegment  … a segment between two others is not there
    └── ConfigError
        ├── LogInUse        another publish server holds the log
        └── UnusableFolder  a folder that cannot be read or written
"""

from pathlib import Path

from stork_node.errors import ConfigError, Problem, StorkError


class StorageFailed(StorkError):
    """The log could not take a batch: nothing of it is stored, and no number is used up."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot store: {reason}")
        self.reason = reason


class BeyondLog(StorkError):
    """What follows sequence ``after`` cannot be read in full: it is not between ``floor`` and ``tail``."""

    def __init__(self, after: int, floor: int, tail: int) -> None:
        super().__init__(f"the log cannot be read from {after}: it reaches from {floor} to {tail}")
        self.after, self.floor, self.tail = after, floor, tail


class DamagedLog(StorkError):
    """Files of the log that a crash does not explain."""


class CorruptLog(DamagedLog):
    """A segment that holds something else than was written, at ``offset`` bytes from its beginning."""

    def __init__(self, file: Path, offset: int, reason: str) -> None:
        super().__init__(
            f"{file} is damaged at byte {offset}: {reason}; "
            "to go on without it, move it and all older segments out of the folder"
        )
        self.file, self.offset, self.reason = file, offset, reason


class MissingSegment(DamagedLog):
    """The segment before ``file`` is not there, though an older one is."""

    def __init__(self, file: Path, missing: Path) -> None:
        super().__init__(
            f"{missing} is missing, which comes before {file.name}; "
            "to go on without it, move all older segments out of the folder"
        )
        self.file, self.missing = file, missing


class LogInUse(ConfigError):
    """Another process holds the log in ``folder``; ``holder`` says which (``process 17 on hostname``)."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            [Problem("", f"the log in {folder} is held by {holder}: there is one publish server per deployment")]
        )
        self.folder, self.holder = folder, holder


class UnusableFolder(ConfigError):
    """A folder that cannot hold the log: ``reason`` is the system's."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__([Problem("", f"the log in {folder} cannot be used: {reason}")])
        self.folder, self.reason = folder, reason
