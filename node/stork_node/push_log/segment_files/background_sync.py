"""Forcing a file to disk in a thread: a slow disk must not keep others waiting."""

import os
import threading

_PATIENCE_S = 0.05
"""A disk that is not slow is done by then; so its result is known at once."""


class BackgroundSync:
    """
    Forces to disk what is in the file now.

    Args:
        fd: of the file; it may be closed meanwhile.
        size: bytes of the file.
        checksum: CRC-32 of them.
    """

    def __init__(self, fd: int, size: int, checksum: int) -> None:
        self.size, self.checksum = size, checksum
        self._fd = os.dup(fd)
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="stork-sync", daemon=True)
        self._thread.start()
        self._thread.join(_PATIENCE_S)

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self) -> None:
        """
        Wait until it is done.

        Raises:
            OSError: the disk failed.
        """
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            os.fdatasync(self._fd)
        except OSError as failure:
            self._failure = failure
        finally:
            os.close(self._fd)
