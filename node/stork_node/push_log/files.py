"""Files of the log: made so that nobody else can read them, and named so that a name is not lost."""

import os
from contextlib import suppress
from pathlib import Path

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


def replace_file(path: Path, content: bytes) -> None:
    """
    Write a file that is there as a whole, on disk, or not at all; it takes the place of one with its name.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_suffix(".tmp")
    try:
        with os.fdopen(open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


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
