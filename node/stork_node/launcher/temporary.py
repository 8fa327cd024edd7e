"""A private folder for the files of a running process."""

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
    A new folder that only this user can read, with a short name: a socket's path has at most 107 bytes.

    It is locked while this process lives, so that a later start can remove it if this process was killed. Folders of
    dead processes are removed first.

    Raises:
        ConfigError: this user cannot write to any folder for temporary files.
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
        # Only a locked folder gets the name of removable folders; without a lock it keeps the other name.
        with suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path = new.rename(new.with_name(_HELD + new.name.removeprefix(_NEW)))

    def remove(self) -> None:
        """Remove the folder with its contents."""
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
