"""Remembers permissions while they hold. Equal requests at the same time are asked only once."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

from stork_components.asking.application_client import CallerLeft
from stork_node.application.permission import Permission
from stork_node.guard.cache import VerdictCache
from stork_node.guard.counters import GuardCounters

Ask = Callable[[], Awaitable[Permission]]


@dataclass
class _Question:
    """An open request: who waits for the same answer, and whether it is out of date before it comes."""

    waiting: "list[tuple[defer.Deferred[Permission], Ask]]" = field(default_factory=list)
    is_dropped: bool = False


class Verdicts:
    """``group`` is that of a key, as of a ``VerdictCache``."""

    def __init__(
        self,
        reactor: IReactorTime,
        capacity: int,
        counters: GuardCounters,
        group: Callable[[Hashable], Hashable] = lambda key: None,
    ) -> None:
        self._reactor, self._counters = reactor, counters
        self._cache = VerdictCache(capacity, group)
        self._generation = 0
        self._asking: dict[Hashable, _Question] = {}

    def __len__(self) -> int:
        """The number of remembered permissions."""
        return len(self._cache)

    def forget(self) -> None:
        """Forget all permissions, and do not remember the answers to open requests."""
        self._cache.clear()
        self._generation += 1

    def drop(self, wanted: Callable[[Hashable], bool], group: Hashable = None) -> int:
        """
        Forget the permissions whose keys are wanted, of one group or of all; returns how many.

        Open requests of these keys are asked again when their answers come, and no later request joins them.
        """
        for key in [key for key in self._asking if wanted(key)]:
            self._asking.pop(key).is_dropped = True
        return self._cache.drop(wanted, group)

    async def get(self, key: Hashable, ask: Ask) -> Permission:
        """
        The permission for ``key``. An exception of ``ask`` goes to all waiting requests, and is not remembered. If only
        the asking session has left, each of the others asks for itself.
        """
        known = self._cache.get(key, self._reactor.seconds())
        if known:
            self._counters.cache_hits += 1
            return known
        question = self._asking.get(key)
        if question is not None:
            waiting: defer.Deferred[Permission] = defer.Deferred()
            question.waiting.append((waiting, ask))
            verdict: Permission = await waiting
            return verdict
        self._counters.cache_misses += 1
        question = self._asking[key] = _Question()
        generation = self._generation
        try:
            verdict = await ask()
        except CallerLeft:
            for each, ask_again in self._end(key, question):
                defer.ensureDeferred(self.get(key, ask_again)).chainDeferred(each)
            raise
        except Exception as error:
            for each, _ in self._end(key, question):
                each.errback(error)
            raise
        waiters = self._end(key, question)
        if question.is_dropped:
            for each, ask_again in waiters:
                defer.ensureDeferred(self.get(key, ask_again)).chainDeferred(each)
            return await self.get(key, ask)
        if generation == self._generation:
            self._cache.put(key, verdict, self._reactor.seconds())
        for each, _ in waiters:
            each.callback(verdict)
        return verdict

    def _end(self, key: Hashable, question: _Question) -> "list[tuple[defer.Deferred[Permission], Ask]]":
        if self._asking.get(key) is question:
            del self._asking[key]
        return question.waiting
