"""The decision of one wake-up: which pushes are stored, and what each peer is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from msgspec import Struct, structs

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


class Arrival(Struct, frozen=True, gc=False):
    """
    A request, and the frames to put before its answer: none for one that is not answered.

    Attributes:
        is_bundled: answered in one frame with the others that have this very envelope.
        until: when to give up, for one that is taken again.
    """

    request: Request
    envelope: list[bytes]
    is_bundled: bool = False
    until: float = float("inf")


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
        answers: one for each arrival; None where nobody waits for one, or the peer has to repeat it.
        stored: how many pushes and commands were.
        failure: why the log took nothing.
        refused: reasons of the documents that were refused for what they say, by their index.
        warnings: about pushes that are stored and reach nobody, by their index.
        unstored: indexes of the documents that were certainly not stored.
        repeatable: indexes of those that have an id, and no answer: to be taken again.
    """

    answers: list[bytes | Awaited | None]
    stored: int = 0
    failure: str = ""
    refused: dict[int, str] = field(default_factory=dict)
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

    def take(self, arrivals: Sequence[Arrival], now: float) -> Outcome:
        """
        Store all pushes of a batch with one append.

        Args:
            arrivals: of all peers, in the order in which they came.
            now: seconds of a clock that never goes back.
        """
        self._engine.advance(now)
        additions = self._additions(arrivals)
        appended = iter(self._engine.append(additions) if additions else ())
        tail = self._engine.tail
        outcome = Outcome([])
        for number, arrival in enumerate(arrivals):
            match request := arrival.request:
                case Push():
                    answer = self._answer(arrival, request, next(appended), number, outcome)
                    if request.receipt:
                        next(appended)
                case CommandRequest():
                    answer = self._answer(arrival, request, next(appended), number, outcome)
                case PositionRequest():
                    answer = encode_tail(tail)
                case OutcomeRequest():
                    answer = self._answer_outcome(request, tail)
                case Refusal(id, reason, error):
                    answer = self._refuse(arrival, id, error, reason, number, outcome)
                case _:
                    assert_never(request)
            outcome.answers.append(answer)
        return outcome

    def _additions(self, arrivals: Sequence[Arrival]) -> list[Push | Command]:
        """What is appended; a receipt is asked for by an entry of its own, right after the push."""
        additions: list[Push | Command] = []
        for arrival in arrivals:
            match request := arrival.request:
                case Push():
                    additions.append(request)
                    if request.receipt:
                        additions.append(_ASKED)
                case CommandRequest():
                    additions.append(self._stamped(request.command))
        return additions

    def _stamped(self, given: Command) -> Command:
        return structs.replace(given, given_s=int(self._wall())) if revokes(given) else given

    def _answer(
        self, arrival: Arrival, request: Push | CommandRequest, appended: Appended, number: int, outcome: Outcome
    ) -> bytes | Awaited | None:
        match appended:
            case Position():
                outcome.stored += 1
                return self._stored(arrival, request, appended, number, outcome)
            case Known(position, is_reused):
                if is_reused:
                    reason = _reused(request, _id(request) or "", position)
                    return self._refuse(arrival, _id(request), "id_reused", reason, number, outcome)
                return self._known(arrival, request, position, number, outcome)
            case Failed():
                return self._failed(_id(request), appended, number, outcome)
            case _:
                assert_never(appended)

    def _stored(
        self, arrival: Arrival, request: Push | CommandRequest, position: Position, number: int, outcome: Outcome
    ) -> bytes | Awaited | None:
        if isinstance(request, CommandRequest):
            self._counters.commands += 1
            return Awaited(request.command.id, position.sequence, request.timeout_ms)
        self._counters.accepted += 1
        if request.receipt:
            return _receipt(request, position)
        warning = self._warning(request, number, outcome)
        return encode_stored(request.id, position, warning=warning) if arrival.envelope else None

    def _known(
        self, arrival: Arrival, request: Push | CommandRequest, position: Position, number: int, outcome: Outcome
    ) -> bytes | Awaited | None:
        self._counters.duplicates += 1
        if isinstance(request, CommandRequest):
            return Awaited(request.command.id, position.sequence, request.timeout_ms)
        if request.receipt and self._engine.state.commands.has_receipt(position, self._engine.tail):
            return _receipt(request, position, is_duplicate=True)
        warning = self._warning(request, number, outcome)
        return encode_stored(request.id, position, duplicate=True, warning=warning) if arrival.envelope else None

    def _failed(self, id: str | None, failed: Failed, number: int, outcome: Outcome) -> bytes | None:
        outcome.failure = failed.reason
        self._counters.storage_failed += 1
        if not failed.is_unknown:
            outcome.unstored.add(number)
        if not failed.is_unknown and not failed.is_away:
            return encode_refused(id, "storage_failed", failed.reason)
        if id is None:
            return encode_refused(id, "not_confirmed", failed.reason)
        outcome.repeatable.add(number)
        return None

    def _refuse(
        self, arrival: Arrival, id: str | None, error: Error, reason: str, number: int, outcome: Outcome
    ) -> bytes | None:
        outcome.refused[number] = reason
        self._counters.refused[kind_of(reason)] += 1
        return encode_refused(id, error, reason) if arrival.envelope else None

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


def _id(request: Push | CommandRequest) -> str | None:
    return request.id if isinstance(request, Push) else request.command.id
