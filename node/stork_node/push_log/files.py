"""Files of the log: made so that nobody else can read them, and named so that a name is not lost."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from stork_node.push_log.errors import CorruptLog


def open_private(path: Path, flags: int) -> int:
    """
    Open or make a file for its owner only; the owner of the folder, so that root can do the publish server's work.

    Raises:
        OSError: as ``os.open``.
    """
    fd = os.open(path, flags, 0o600)
    if os.geteuid() == 0:
        folder = os.stat(path.parent)
        with suppress(OSError):
            os.fchown(fd, folder.st_uid, folder.st_gid)
    return fd


def read_file(path: Path, size: int) -> bytes:
    """
    The first ``size`` bytes of a segment, or what there is of them.

    Raises:
        CorruptLog: it is not there, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise CorruptLog(path, 0, f"it cannot be read: {error.strerror}") from None


class Replacement:
    """
    A file that takes the place of the one at ``path`` once it is there as a whole, on disk; else nothing is left of it.

    Raises:
        OSError: it cannot be written; from each method.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._temporary = path, path.with_suffix(".tmp")
        self._file = os.fdopen(open_private(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def write(self, part: bytes) -> None:
        """Add a part, and force it to disk."""
        self._file.write(part)
        self._file.flush()
        os.fsync(self._file.fileno())

    def take_place(self) -> None:
        """It is complete."""
        self._file.close()
        self._temporary.rename(self._path)
        sync_folder(self._path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """
    Write a file that is there as a whole, on disk, or not at all; it takes the place of one with its name.

    Raises:
        OSError: it cannot be written.
    """
    with Replacement(path) as replacement:
        replacement.write(content)
        replacement.take_place()


def sync_folder(folder: Path) -> None:
    """
    Force the names in a folder to disk.

    Raises:
        OSError: the disk failed.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
