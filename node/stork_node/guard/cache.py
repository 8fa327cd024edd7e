"""Remembers permissions for as long as their verifiers say, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from stork_node.application.permission import Permission


class VerdictCache:
    """
    At most ``capacity`` permissions; a new one replaces the least recently used.

    Times are seconds of any monotonic clock, passed in.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, tuple[float, Permission]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, now: float) -> Permission | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, verdict = entry
        if now >= until:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return verdict

    def clear(self) -> None:
        self._entries.clear()

    def drop(self, wanted: Callable[[Hashable], bool]) -> int:
        """Forget the permissions whose keys are wanted; returns how many."""
        keys = [key for key in self._entries if wanted(key)]
        for key in keys:
            del self._entries[key]
        return len(keys)

    def put(self, key: Hashable, verdict: Permission, now: float) -> None:
        """Remember ``verdict`` for its ``cache_s``; zero seconds: do not remember it."""
        if verdict.cache_s <= 0 or self._capacity == 0:
            return
        self._entries[key] = (now + verdict.cache_s, verdict)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
