"""Remembers permissions while they hold. Equal requests at the same time are asked only once."""

from collections.abc import Awaitable, Callable, Hashable

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

from stork_components.asking.application_client import CallerLeft
from stork_node.application.permission import Permission
from stork_node.guard.cache import VerdictCache
from stork_node.guard.counters import GuardCounters

Ask = Callable[[], Awaitable[Permission]]


class Verdicts:
    def __init__(self, reactor: IReactorTime, capacity: int, counters: GuardCounters) -> None:
        self._reactor, self._counters = reactor, counters
        self._cache = VerdictCache(capacity)
        self._generation = 0
        self._asking: dict[Hashable, list[tuple[defer.Deferred[Permission], Ask]]] = {}

    def __len__(self) -> int:
        """The number of remembered permissions."""
        return len(self._cache)

    def forget(self) -> None:
        """Forget all permissions, and do not remember the answers to open requests."""
        self._cache.clear()
        self._generation += 1

    async def get(self, key: Hashable, ask: Ask) -> Permission:
        """
        The permission for ``key``. An exception of ``ask`` goes to all waiting requests, and is not remembered. If only
        the asking session has left, each of the others asks for itself.
        """
        known = self._cache.get(key, self._reactor.seconds())
        if known:
            self._counters.cache_hits += 1
            return known
        verdict: Permission
        if key in self._asking:
            waiting: defer.Deferred[Permission] = defer.Deferred()
            self._asking[key].append((waiting, ask))
            verdict = await waiting
            return verdict
        self._counters.cache_misses += 1
        self._asking[key] = []
        generation = self._generation
        try:
            verdict = await ask()
        except CallerLeft:
            for each, ask_again in self._asking.pop(key):
                defer.ensureDeferred(self.get(key, ask_again)).chainDeferred(each)
            raise
        except Exception as error:
            for each, _ in self._asking.pop(key):
                each.errback(error)
            raise
        if generation == self._generation:
            self._cache.put(key, verdict, self._reactor.seconds())
        for each, _ in self._asking.pop(key):
            each.callback(verdict)
        return verdict
