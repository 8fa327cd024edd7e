"""The decision of one wake-up: which pushes are stored, and what each peer is told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from stork_node import clock
from stork_node.nodes.revocations import revokes
from stork_node.protocol.answers import Error, encode_refused, encode_stored, encode_tail
from stork_node.protocol.commands.documents import RECEIPT, RECEIPT_TIMEOUT_MS, Command, CommandRequest, OutcomeRequest
from stork_node.protocol.positions import Position
from stork_node.protocol.push import PositionRequest, Push
from stork_node.protocol.push_refusals import kind_of, shorten
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.ids import RecentIds
from stork_node.push_log import PushLog, StorageFailed


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One answer for each request.

    Attributes:
        stored: how many pushes and commands were.
        failure: why the log took nothing.
        reused: reasons of the documents that were refused because another push had their id, by their index.
        warnings: about pushes that are stored and reach nobody, by their index.
    """

    answers: list[bytes | Awaited]
    stored: int = 0
    failure: str = ""
    reused: Mapping[int, str] = field(default_factory=dict)
    warnings: Mapping[int, str] = field(default_factory=dict)


class Intake:
    """Numbers what is new, recognizes what was there before, and writes the answers."""

    def __init__(
        self,
        log: PushLog,
        ids: RecentIds,
        counters: Counters,
        wall: Callable[[], float] = clock.wall,
        warn: Callable[[Sequence[str]], str] = lambda topics: "",
    ) -> None:
        """``warn`` says what is wrong with topics of a push, in a sentence, or nothing."""
        self._log, self._ids, self._counters, self._wall, self._warn = log, ids, counters, wall, warn

    def take(self, requests: Sequence[Request], now: float) -> Outcome:
        """
        Store all pushes of a batch with one append.

        Args:
            requests: of all peers, in the order in which they came.
            now: seconds of a clock that never goes back.
        """
        self._ids.forget_old(now)
        new = self._new_pushes(requests)
        failure = ""
        stored: dict[int, Position] = {}
        if new:
            try:
                additions = self._additions(new.values())
                entries = self._log.append(additions)
            except StorageFailed as error:
                failure = error.reason
            else:
                pairs = zip(entries, additions, strict=True)
                stored = dict(zip(new, (entry.position for entry, given in pairs if given is not _ASKED), strict=True))
                self._ids.remember_documents([(push, stored[i]) for i, push in new.items()], now)
        tail = self._log.tail
        reused = {i: reason for i, request in enumerate(requests) if i not in new and (reason := self._reused(request))}
        warnings = {
            i: warning
            for i, request in enumerate(requests)
            if isinstance(request, Push) and (warning := self._warn(request.topics))
        }
        answers = [
            self._answer(request, stored.get(i), tail, failure, reused.get(i, ""), warnings.get(i, ""))
            for i, request in enumerate(requests)
        ]
        return Outcome(answers, len(stored), failure, reused, warnings)

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

    def _reused(self, request: Request) -> str:
        """Why the push is refused, where another push had its id."""
        given = _document(request)
        if given is None or given.id is None or not self._is_reused(given):
            return ""
        what = "another push, which" if isinstance(given, Push) else "another command or push, which"
        return f"id: {shorten(given.id)} is that of {what} is stored at {self._ids.position(given.id)}"

    def _is_reused(self, given: Push | Command) -> bool:
        """Also where the id is from before the start, and of the other kind."""
        is_known = self._ids.position(given.id or "") is not None
        is_command = self._log.state.commands.with_id(given.id) is not None
        return is_known and (self._ids.is_reused(given) or is_command != isinstance(given, Command))

    def _new_pushes(self, requests: Sequence[Request]) -> dict[int, Push | Command]:
        """What is to be stored, by its index in ``requests``; of equal ids in one batch the first."""
        new: dict[int, Push | Command] = {}
        ids: set[str] = set()
        for i, request in enumerate(requests):
            if (given := _document(request)) is not None:
                if given.id is not None:
                    if given.id in ids or self._ids.position(given.id) is not None:
                        continue
                    ids.add(given.id)
                new[i] = given
        return new

    def _answer(
        self, request: Request, position: Position | None, tail: Position, failure: str, reused: str, warning: str
    ) -> bytes | Awaited:
        if isinstance(request, CommandRequest):
            return self._answer_command(request, position, failure, reused)
        if isinstance(request, OutcomeRequest):
            return self._answer_outcome(request, tail)
        if isinstance(request, Push):
            if position is not None:
                self._counters.accepted += 1
                if request.receipt:
                    return _receipt(request, position)
                return encode_stored(request.id, position, warning=warning)
            first = None if request.id is None else self._ids.position(request.id)
            if reused:
                self._counters.refused[kind_of(reused)] += 1
                return encode_refused(request.id, "id_reused", reused)
            if first is not None:
                self._counters.duplicates += 1
                if request.receipt and self._log.state.commands.has_receipt(first, tail):
                    return _receipt(request, first, is_duplicate=True)
                return encode_stored(request.id, first, duplicate=True, warning=warning)
            self._counters.storage_failed += 1
            return encode_refused(request.id, "storage_failed", failure)
        if isinstance(request, PositionRequest):
            return encode_tail(tail)
        self._counters.refused[kind_of(request.reason)] += 1
        return encode_refused(request.id, request.error, request.reason)

    def _answer_outcome(self, request: OutcomeRequest, tail: Position) -> bytes | Awaited:
        epoch, _, number = request.outcome.partition(":")
        is_known = epoch == tail.epoch and number.isascii() and number.isdigit()
        given = self._log.state.commands.get(int(number)) if is_known else None
        if given and given.command.kind != RECEIPT:
            return Awaited(request.id, int(number), 0)
        reason = f"{shorten(request.outcome)} is not the position of a command of the last 5 minutes"
        return encode_refused(request.id, "not_found", reason)

    def _answer_command(
        self, request: CommandRequest, position: Position | None, failure: str, reused: str
    ) -> bytes | Awaited:
        id = request.command.id
        if position is not None:
            self._counters.commands += 1
            return Awaited(id, position.sequence, request.timeout_ms)
        if reused:
            self._counters.refused[kind_of(reused)] += 1
            return encode_refused(id, "id_reused", reused)
        if given := self._log.state.commands.with_id(id):
            self._counters.duplicates += 1
            return Awaited(id, given.number, request.timeout_ms)
        self._counters.storage_failed += 1
        return encode_refused(id, "storage_failed", failure)


def _receipt(push: Push, position: Position, *, is_duplicate: bool = False) -> Awaited:
    return Awaited(push.id, position.sequence + 1, RECEIPT_TIMEOUT_MS, position, is_duplicate)


def _document(request: Request) -> Push | Command | None:
    """What is to be stored of a request."""
    if isinstance(request, CommandRequest):
        return request.command
    return request if isinstance(request, Push) else None
