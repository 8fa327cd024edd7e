"""Answers that came too late: they serve the next request that asks the same."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from stork_crossbar.internals.deadlines import Deadlines

KEPT_S = 60.0
"""The time that an abandoned call goes on, and its answer is kept, together."""
_MOST = 10_000


class LateAnswers:
    """Abandoned calls by request. An answer serves one later request, and is then forgotten."""

    def __init__(self, reactor: IReactorTime, most: int = _MOST) -> None:
        self._deadlines, self._most = Deadlines(reactor, KEPT_S), most
        self._calls: OrderedDict[Hashable, tuple[defer.Deferred[Any], int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._calls)

    def keep(self, question: Hashable, call: "defer.Deferred[Any]") -> None:
        """Keep an abandoned call. It replaces an earlier one."""
        self._end(question)
        self._calls[question] = call, self._deadlines.set(lambda: self._end(question))
        call.addErrback(self._fail, question, call)
        if len(self._calls) > self._most:
            self._end(next(iter(self._calls)))

    def take(self, question: Hashable) -> "defer.Deferred[Any] | None":
        """The kept call, for a request that waits for it from now on."""
        call, deadline = self._calls.pop(question, (None, -1))
        self._deadlines.cancel(deadline)
        return call

    def forget(self) -> None:
        """Requests from now on do not get the answers of earlier calls."""
        for question in list(self._calls):
            self._end(question)

    def _fail(self, failure: Failure, question: Hashable, call: "defer.Deferred[Any]") -> Failure | None:
        """Forget a call that fails. If a request waits for it, the request gets the failure."""
        kept, _ = self._calls.get(question, (None, -1))
        if kept is not call:
            return failure
        self.take(question)
        return None

    def _end(self, question: Hashable) -> None:
        call, deadline = self._calls.pop(question, (None, -1))
        self._deadlines.cancel(deadline)
        if call is not None:
            call.addErrback(lambda _: None)
            call.cancel()
