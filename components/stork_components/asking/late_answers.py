"""Answers that came too late for whoever asked: they serve the one who asks the same again."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from stork_crossbar.internals.deadlines import Deadlines

KEPT_S = 60.0
"""How long a call goes on that nobody waits for, and how long its answer is kept, together."""
_MOST = 10_000


class LateAnswers:
    """Calls that nobody waits for now, each by its question. An answer is given to one who asks, and then forgotten."""

    def __init__(self, reactor: IReactorTime, most: int = _MOST) -> None:
        self._deadlines, self._most = Deadlines(reactor, KEPT_S), most
        self._calls: OrderedDict[Hashable, tuple[defer.Deferred[Any], int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._calls)

    def keep(self, question: Hashable, call: "defer.Deferred[Any]") -> None:
        """Nobody waits for this call any more. It takes the place of an earlier one."""
        self._end(question)
        self._calls[question] = call, self._deadlines.set(lambda: self._end(question))
        call.addErrback(self._fail, question, call)
        if len(self._calls) > self._most:
            self._end(next(iter(self._calls)))

    def take(self, question: Hashable) -> "defer.Deferred[Any] | None":
        """The call that was kept, for one who waits for it from now on."""
        call, deadline = self._calls.pop(question, (None, -1))
        self._deadlines.cancel(deadline)
        return call

    def forget(self) -> None:
        """Whoever asks from now on is not served by what was asked before."""
        for question in list(self._calls):
            self._end(question)

    def _fail(self, failure: Failure, question: Hashable, call: "defer.Deferred[Any]") -> Failure | None:
        """A call that fails is asked anew; while somebody waits for it, the failure is his."""
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
