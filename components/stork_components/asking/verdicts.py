"""Verdicts: remembered while they hold, and asked for once where several sessions ask the same at the same time."""

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
        """How many are remembered."""
        return len(self._cache)

    def forget(self) -> None:
        """Ask anew from now on: nothing that is known or asked for now is remembered."""
        self._cache.clear()
        self._generation += 1

    async def get(self, key: Hashable, ask: Ask) -> Permission:
        """
        The verdict for ``key``. An exception of ``ask`` goes to everyone who waits for it, and is not remembered; but
        where that one asker has left, each of the others asks for itself.
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
