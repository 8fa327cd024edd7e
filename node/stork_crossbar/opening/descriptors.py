"""
A reserve of file descriptors: clients that have not joined get none of the last ones. So the operator's port and the
node's own connections always have some.
"""

import os
import resource
from collections.abc import Callable

RESERVED = 64
# Even of a small limit, most is for clients.
_MOST_RESERVED_OF = 8
_COUNTED_EVERY_S = 1.0


def _limit() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit


def _count() -> int:
    return len(os.listdir("/dev/fd")) - 1  # less that of the listing


class Descriptors:
    """
    The number of descriptors of this process, without counting them for each connection.

    Args:
        clock: seconds.
        limit: maximum of descriptors of this process.
        count: counts the descriptors.
    """

    def __init__(
        self, clock: Callable[[], float], limit: Callable[[], int] = _limit, count: Callable[[], int] = _count
    ) -> None:
        self._clock, self._limit, self._count = clock, limit, count
        self._others = 0
        self._counted_at = float("-inf")

    @property
    def reserved(self) -> int:
        return max(1, min(RESERVED, self._limit() // _MOST_RESERVED_OF))

    def over(self, newest: int, clients: int) -> int:
        """
        The number of used descriptors that belong to the reserve; 0 or less if there is room.

        Args:
            newest: the descriptor of the newest client.
            clients: the number of clients, the newest included.
        """
        limit = self._limit()
        if limit == resource.RLIM_INFINITY:
            return 0
        # A new descriptor is the lowest free one: all below it are used.
        self._others = max(self._others, newest + 1 - clients)
        room = limit - self.reserved
        if self._others + clients > room and self._clock() - self._counted_at >= _COUNTED_EVERY_S:
            self._counted_at = self._clock()
            self._others = max(0, self._count() - clients)
        return self._others + clients - room
