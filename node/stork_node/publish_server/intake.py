"""The decision of one wake-up: which pushes are stored, and what each peer is told."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from msgspec import structs

from stork_node import clock
from stork_node.engines.interface import Appended, Engine, Failed, Known
from stork_node.nodes.revocations import revokes
from stork_node.protocol.answers import Error, encode_refused, encode_stored, encode_tail
from stork_node.protocol.commands.documents import RECEIPT, RECEIPT_TIMEOUT_MS, Command, CommandRequest, OutcomeRequest
from stork_node.protocol.positions import Position
from stork_node.protocol.push import PositionRequest, Push
from stork_node.protocol.push_refusals import kind_of, shorten
from stork_node.publish_server.counters import Counters


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that is neither a push nor a command; ``id`` if it could be read."""

    id: str | None
    reason: str
    error: Error = "invalid_push"


_ASKED = Command(RECEIPT)

Request = Push | CommandRequest | OutcomeRequest | PositionRequest | Refusal


@dataclass(frozen=True, slots=True)
class Awaited:
    """
    In place of an answer: the command with this number is answered once nodes have obeyed it.

    ``push``: the answer is that of a push with a receipt, which is stored there. ``is_duplicate``: and was before.
    """

    id: str | None
    number: int
    timeout_ms: int
    push: Position | None = None
    is_duplicate: bool = False


@dataclass(slots=True)
class Outcome:
    """
    Attributes:
        answers: one for each request; None where the peer has to repeat it.
        stored: how many pushes and commands were.
        failure: why the log took nothing.
        reused: reasons of the documents that were refused because another push had their id, by their index.
        warnings: about pushes that are stored and reach nobody, by their index.
        unstored: indexes of the documents that were certainly not stored.
        repeatable: indexes of those that have an id, and no answer: to be taken again.
    """

    answers: list[bytes | Awaited | None]
    stored: int = 0
    failure: str = ""
    reused: dict[int, str] = field(default_factory=dict)
    warnings: dict[int, str] = field(default_factory=dict)
    unstored: set[int] = field(default_factory=set)
    repeatable: set[int] = field(default_factory=set)


class Intake:
    """Has documents numbered, and writes the answers."""

    def __init__(
        self,
        engine: Engine,
        counters: Counters,
        wall: Callable[[], float] = clock.wall,
        warn: Callable[[Sequence[str]], str] = lambda topics: "",
    ) -> None:
        """``warn`` says what is wrong with topics of a push, in a sentence, or nothing."""
        self._engine, self._counters, self._wall, self._warn = engine, counters, wall, warn

    def take(self, requests: Sequence[Request], now: float) -> Outcome:
        """
        Store all pushes of a batch with one append.

        Args:
            requests: of all peers, in the order in which they came.
            now: seconds of a clock that never goes back.
        """
        self._engine.advance(now)
        documents = [given for request in requests if (given := _document(request)) is not None]
        appended = iter(self._engine.append(self._additions(documents)) if documents else ())
        tail = self._engine.tail
        outcome = Outcome([])
        for number, request in enumerate(requests):
            if isinstance(request, Push | CommandRequest):
                outcome.answers.append(self._answer(request, next(appended), number, outcome))
                if isinstance(request, Push) and request.receipt:
                    next(appended)
            elif isinstance(request, PositionRequest):
                outcome.answers.append(encode_tail(tail))
            elif isinstance(request, OutcomeRequest):
                outcome.answers.append(self._answer_outcome(request, tail))
            else:
                self._counters.refused[kind_of(request.reason)] += 1
                outcome.answers.append(encode_refused(request.id, request.error, request.reason))
        return outcome

    def _additions(self, documents: Iterable[Push | Command]) -> list[Push | Command]:
        """What is appended; a receipt is asked for by an entry of its own, right after the push."""
        additions: list[Push | Command] = []
        for given in documents:
            additions.append(self._stamped(given))
            if isinstance(given, Push) and given.receipt:
                additions.append(_ASKED)
        return additions

    def _stamped(self, given: Push | Command) -> Push | Command:
        is_revoking = isinstance(given, Command) and revokes(given)
        return structs.replace(given, given_s=int(self._wall())) if is_revoking else given

    def _answer(
        self, request: Push | CommandRequest, appended: Appended, number: int, outcome: Outcome
    ) -> bytes | Awaited | None:
        id = request.id if isinstance(request, Push) else request.command.id
        match appended:
            case Position():
                outcome.stored += 1
                if isinstance(request, Push):
                    self._counters.accepted += 1
                    if request.receipt:
                        return _receipt(request, appended)
                    return encode_stored(id, appended, warning=self._warning(request, number, outcome))
                self._counters.commands += 1
                return Awaited(id, appended.sequence, request.timeout_ms)
            case Known(position, is_reused):
                if is_reused:
                    reason = outcome.reused[number] = _reused(request, id or "", position)
                    self._counters.refused[kind_of(reason)] += 1
                    return encode_refused(id, "id_reused", reason)
                self._counters.duplicates += 1
                if isinstance(request, Push):
                    if request.receipt and self._engine.state.commands.has_receipt(position, self._engine.tail):
                        return _receipt(request, position, is_duplicate=True)
                    warning = self._warning(request, number, outcome)
                    return encode_stored(id, position, duplicate=True, warning=warning)
                return Awaited(id, position.sequence, request.timeout_ms)
            case Failed(reason, is_unknown, is_away):
                outcome.failure = reason
                self._counters.storage_failed += 1
                if not is_unknown:
                    outcome.unstored.add(number)
                if not is_unknown and not is_away:
                    return encode_refused(id, "storage_failed", reason)
                if id is None:
                    return encode_refused(id, "not_confirmed", reason)
                outcome.repeatable.add(number)
                return None
            case _:
                assert_never(appended)

    def _warning(self, push: Push, number: int, outcome: Outcome) -> str:
        if warning := self._warn(push.topics):
            outcome.warnings[number] = warning
        return warning

    def _answer_outcome(self, request: OutcomeRequest, tail: Position) -> bytes | Awaited:
        epoch, _, number = request.outcome.partition(":")
        is_known = epoch == tail.epoch and number.isascii() and number.isdigit()
        given = self._engine.state.commands.get(int(number)) if is_known else None
        if given and given.command.kind != RECEIPT:
            return Awaited(request.id, int(number), 0)
        reason = f"{shorten(request.outcome)} is not the position of a command of the last 5 minutes"
        return encode_refused(request.id, "not_found", reason)


def _reused(request: Push | CommandRequest, id: str, position: Position) -> str:
    """Why a document is refused, where another one had its id."""
    what = "another push, which" if isinstance(request, Push) else "another command or push, which"
    return f"id: {shorten(id)} is that of {what} is stored at {position}"


def _receipt(push: Push, position: Position, *, is_duplicate: bool = False) -> Awaited:
    return Awaited(push.id, position.sequence + 1, RECEIPT_TIMEOUT_MS, position, is_duplicate)


def _document(request: Request) -> Push | Command | None:
    """What is to be stored of a request."""
    if isinstance(request, CommandRequest):
        return request.command
    return request if isinstance(request, Push) else None
