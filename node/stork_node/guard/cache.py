"""Remembers permissions for as long as their verifiers say, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from stork_node.application.permission import Permission


class VerdictCache:
    """
    At most ``capacity`` permissions; a new one replaces the least recently used.

    Times are seconds of any monotonic clock, passed in.

    Args:
        group: the group of a key, such as its user: the keys of one group are found without looking at all.
    """

    def __init__(self, capacity: int, group: Callable[[Hashable], Hashable] = lambda key: None) -> None:
        self._capacity, self._group = capacity, group
        self._groups: dict[Hashable, set[Hashable]] = {}
        self._entries: OrderedDict[Hashable, tuple[float, Permission]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, now: float) -> Permission | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, verdict = entry
        if now >= until:
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return verdict

    def clear(self) -> None:
        self._entries.clear()
        self._groups.clear()

    def drop(self, wanted: Callable[[Hashable], bool], group: Hashable = None) -> int:
        """Forget the permissions whose keys are wanted, of one group or of all; returns how many."""
        among = self._entries if group is None else self._groups.get(group, ())
        keys = [key for key in among if wanted(key)]
        for key in keys:
            self._remove(key)
        return len(keys)

    def _remove(self, key: Hashable) -> None:
        del self._entries[key]
        group = self._group(key)
        keys = self._groups[group]
        keys.discard(key)
        if not keys:
            del self._groups[group]

    def put(self, key: Hashable, verdict: Permission, now: float) -> None:
        """Remember ``verdict`` for its ``cache_s``; zero seconds: do not remember it."""
        if verdict.cache_s <= 0 or self._capacity == 0:
            return
        self._entries[key] = (now + verdict.cache_s, verdict)
        self._entries.move_to_end(key)
        self._groups.setdefault(self._group(key), set()).add(key)
        if len(self._entries) > self._capacity:
            self._remove(next(iter(self._entries)))
