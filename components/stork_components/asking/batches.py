"""
All requests of one turn of the reactor go in one call, and all answers of one turn in one result.

A call within the node costs the router half as much as the rest of a join, whatever its size. Each request is still
independent: it gets its answer as soon as possible, by progressive results, and can be cancelled alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import cbor2
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallDetails, CallOptions, RegisterOptions
from twisted.internet import defer, reactor
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")

# Half of the smallest maximum of a RawSocket; a larger request goes alone.
MAX_BATCH_BYTES = 64 * 1024

_RAISED = "wamp.error.runtime_error"  # autobahn's URI for errors other than ApplicationError

Answer = tuple[int, bytes | None, str]
"""The number of the request in its call, and the answer in CBOR; or None, and the URI of an error."""


@dataclass
class _Question:
    args: Sequence[Any]
    give_up: Callable[[], None] = lambda: None
    answer: "defer.Deferred[Any]" = field(init=False)

    def __post_init__(self) -> None:
        self.answer = defer.Deferred(lambda _: self.give_up())

    def settle(self, result: Any) -> None:
        """Give the answer, or the failure; ignored if the request was cancelled."""
        if not self.answer.called:
            self.answer.callback(result)


class Batches:
    """
    The calling side.

    Args:
        session: calls.
        clock: ends a turn of the reactor.
    """

    def __init__(self, session: Any, clock: IReactorTime) -> None:
        self._session, self._clock = session, clock
        self._asked: dict[tuple[str, str], list[_Question]] = {}

    def call(self, single_uri: str, batch_uri: str, args: Sequence[Any]) -> "defer.Deferred[Any]":
        """
        Send one request, which may be cancelled.

        Args:
            single_uri: the procedure for a request that is alone in its turn.
            batch_uri: the procedure that takes many requests (``answer_all``).
            args: the arguments of the request.
        """
        question = _Question(args)
        if not self._asked:
            self._clock.callLater(0, self._send)
        self._asked.setdefault((single_uri, batch_uri), []).append(question)
        return question.answer

    def _send(self) -> None:
        asked, self._asked = self._asked, {}
        for (single_uri, batch_uri), questions in asked.items():
            waiting = [question for question in questions if not question.answer.called]
            if len(waiting) == 1:
                self._send_single(single_uri, waiting[0])
                continue
            together = []
            for question in waiting:
                try:
                    together.append((cbor2.dumps(question.args), question))
                except Exception:  # it has no CBOR: that concerns this request alone
                    self._send_single(single_uri, question)
            for portion in _portions(together, lambda each: len(each[0])):
                self._send_batch(batch_uri, portion)

    def _send_single(self, uri: str, question: _Question) -> None:
        call = defer.maybeDeferred(self._session.call, uri, *question.args)
        question.give_up = call.cancel
        call.addBoth(question.settle)

    def _send_batch(self, uri: str, questions: Sequence[tuple[bytes, _Question]]) -> None:
        waiting = {number: question for number, (_, question) in enumerate(questions)}

        def take(answers: Sequence[Answer]) -> None:
            for number, value, error in answers:
                if question := waiting.pop(number, None):
                    question.settle(_failure(error) if value is None else cbor2.loads(value))

        def end(failure: Any) -> None:
            for number in list(waiting):
                waiting.pop(number).settle(failure)

        def end_with(answers: Sequence[Answer]) -> None:
            take(answers)
            end(_failure(ApplicationError.CANCELED))

        def give_up(number: int) -> None:
            waiting.pop(number, None)
            if not waiting:
                call.cancel()

        for number, question in waiting.items():
            question.give_up = partial(give_up, number)
        encoded = [encoded for encoded, _ in questions]
        call = defer.maybeDeferred(self._session.call, uri, encoded, options=CallOptions(on_progress=take))
        call.addCallbacks(end_with, end)


def answer_all(
    ask: Callable[..., Any],
    questions: Sequence[bytes],
    progress: Callable[[Sequence[Answer]], None],
    clock: IReactorTime,
) -> "defer.Deferred[Sequence[Answer]]":
    """
    The answering side.

    Args:
        ask: answers one request; takes its arguments, and may return a Deferred.
        questions: the arguments of each request, in CBOR.
        progress: gets answers before the last ones.
        clock: ends a turn of the reactor.

    Returns:
        The last answers.
    """
    done: defer.Deferred[Sequence[Answer]] = defer.Deferred()
    ready: list[Answer] = []
    outstanding = len(questions)

    def send() -> None:
        if ready and outstanding:
            hand_over(0)

    def hand_over(keep: int) -> Sequence[Answer]:
        """Send the finished answers, except for the last ``keep`` portions, which are returned."""
        portions = list(_portions(ready, lambda answer: len(answer[1] or b"")))
        ready.clear()
        sent = len(portions) - keep
        for portion in portions[:sent]:
            progress(portion)
        return portions[sent] if keep else []

    def answered(result: Any, number: int) -> None:
        nonlocal outstanding
        outstanding -= 1
        ready.append(_encode(number, result))
        if not outstanding:
            done.callback(hand_over(1))
        elif len(ready) == 1:
            clock.callLater(0, send)

    for number, question in enumerate(questions):
        defer.maybeDeferred(ask, *cbor2.loads(question)).addBoth(answered, number)
    return done


async def register_batch(session: Any, ask: Callable[..., Any], uri: str) -> None:
    """Register ``answer_all`` for ``ask``. If several processes register it, the last one is called."""

    def answer(questions: Sequence[bytes], details: CallDetails) -> "defer.Deferred[Sequence[Answer]]":
        return answer_all(ask, questions, details.progress, reactor)

    await session.register(answer, uri, RegisterOptions(invoke="last", details_arg="details"))


def _encode(number: int, result: Any) -> Answer:
    if isinstance(result, Failure):
        error = result.value
        return number, None, error.error if isinstance(error, ApplicationError) else _RAISED
    try:
        return number, cbor2.dumps(result), ""
    except Exception:  # it has no CBOR: that concerns its own request alone
        return number, None, ApplicationError.INVALID_PAYLOAD


def _failure(uri: str) -> Any:
    return Failure(ApplicationError(uri))


def _portions(items: Sequence[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Split ``items`` in order into portions of at most ``MAX_BATCH_BYTES``, or of one item."""
    portion: list[T] = []
    total = 0
    for item in items:
        if portion and total + size(item) > MAX_BATCH_BYTES:
            yield portion
            portion, total = [], 0
        portion.append(item)
        total += size(item)
    if portion:
        yield portion
