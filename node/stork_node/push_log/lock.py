"""The lock: one process holds a log; and when a process last did."""

import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from stork_node.push_log.errors import LogInUse
from stork_node.push_log.files import open_private

_NAME = "lock"
_GLANCE_S = 0.05  # ``holder`` takes the lock, too, for much less than this


class Lock:
    """
    Holds the log in ``folder`` until ``close``, or the end of the process; ``now`` in seconds since 1970.

    Attributes:
        last_held: when another process held it last, in seconds since 1970; None where none ever did.

    Raises:
        LogInUse: another process holds it.
        OSError: the file cannot be made.
    """

    def __init__(self, folder: Path, now: float) -> None:
        self._file = folder / _NAME
        existed = self._file.exists()
        self._fd = open_private(self._file, os.O_RDWR | os.O_CREAT)
        try:
            if not (_take(self._fd) or _take(self._fd, after_s=_GLANCE_S)):
                raise LogInUse(folder, _read_holder(self._fd))
        except BaseException:
            os.close(self._fd)
            raise
        self.last_held = os.fstat(self._fd).st_mtime if existed else None
        with suppress(OSError):  # a full disk: the lock holds without a name
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            self.touch(now)

    def touch(self, now: float) -> None:
        """Note that it is held at ``now``, in seconds since 1970."""
        os.utime(self._fd, (now, now))

    def is_there(self) -> bool:
        """Whether the file in the folder is still the one that is held."""
        try:
            return os.path.samestat(os.stat(self._file), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)


def holder(folder: Path) -> str:
    """Who holds the log in ``folder``, such as ``process 17 on hostname``; empty where nobody does."""
    try:
        fd = os.open(folder / _NAME, os.O_RDONLY)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(fd)
    else:
        return ""
    finally:
        os.close(fd)


def _take(fd: int, after_s: float = 0.0) -> bool:
    time.sleep(after_s)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_holder(fd: int) -> str:
    return os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"
