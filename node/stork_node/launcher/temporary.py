"""A folder for what a process needs while it runs, and that nobody else may reach."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from stork_node.errors import ConfigError, Problem

_NEW, _HELD = "stork-new-", "stork-run-"


class PrivateFolder:
    """
    A new folder that only this user can look into, with a short name: a socket's path has at most 107 bytes.

    It is locked as long as this process lives, so that a later start can remove it if this process is killed. Folders
    that dead processes have left behind are removed first.

    Raises:
        ConfigError: this user may not write anywhere where temporary files go.
    """

    def __init__(self) -> None:
        try:
            remove_abandoned(Path(tempfile.gettempdir()))
            new = Path(tempfile.mkdtemp(prefix=_NEW))
        except OSError as error:
            wanted = "a folder for temporary files is wanted (where all else is read-only, mount a tmpfs on /tmp)"
            raise ConfigError([Problem("", f"{wanted}: {error.strerror}")]) from None
        self.path = new
        self._lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
        # It gets the name of those that are removed only once it is locked; without a lock it keeps the other one.
        with suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path = new.rename(new.with_name(_HELD + new.name.removeprefix(_NEW)))

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of this user in ``parent`` whose processes have ended."""
    for folder in parent.glob(f"{_HELD}*"):
        with suppress(OSError):
            _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
