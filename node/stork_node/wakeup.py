"""Wakes a loop that polls file descriptors, from any thread or signal handler."""

import os
from contextlib import suppress


class Wakeup:
    """
    Attributes:
        fileno: can be read after ``wake``, until ``drain``.
    """

    def __init__(self) -> None:
        self.fileno, self._writer = os.pipe()
        os.set_blocking(self.fileno, False)
        os.set_blocking(self._writer, False)

    def wake(self) -> None:
        with suppress(OSError):  # it is awake already, or closed
            os.write(self._writer, b".")

    def drain(self) -> bool:
        """Whether it was woken since the last look."""
        with suppress(BlockingIOError):
            return bool(os.read(self.fileno, 65536))
        return False

    def close(self) -> None:
        """Threads that may call ``wake`` have ended before."""
        os.close(self.fileno)
        os.close(self._writer)
