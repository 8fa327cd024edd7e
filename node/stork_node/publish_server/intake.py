"""The decision of one wake-up: which pushes are stored, and what each peer is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stork_node.protocol.answers import encode_refused, encode_stored, encode_tail
from stork_node.protocol.positions import Position
from stork_node.protocol.push import PositionRequest, Push
from stork_node.protocol.push_refusals import kind_of, shorten
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.ids import RecentIds
from stork_node.push_log import PushLog, StorageFailed


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that is no push; ``id`` if it could be read."""

    id: str | None
    reason: str


Request = Push | PositionRequest | Refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One answer for each request.

    Attributes:
        stored: how many pushes were.
        failure: why the log took nothing.
        reused: reasons of the pushes that were refused because another push had their id, by their index.
    """

    answers: list[bytes]
    stored: int = 0
    failure: str = ""
    reused: Mapping[int, str] = field(default_factory=dict)


class Intake:
    """Numbers what is new, recognizes what was there before, and writes the answers."""

    def __init__(self, log: PushLog, ids: RecentIds, counters: Counters) -> None:
        self._log, self._ids, self._counters = log, ids, counters

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
                entries = self._log.append(list(new.values()))
            except StorageFailed as error:
                failure = error.reason
            else:
                stored = dict(zip(new, (entry.position for entry in entries), strict=True))
                self._ids.remember_pushes([(push, stored[i]) for i, push in new.items()], now)
        tail = self._log.tail
        reused = {i: reason for i, request in enumerate(requests) if i not in new and (reason := self._reused(request))}
        answers = [
            self._answer(request, stored.get(i), tail, failure, reused.get(i, "")) for i, request in enumerate(requests)
        ]
        return Outcome(answers, len(stored), failure, reused)

    def _reused(self, request: Request) -> str:
        """Why the push is refused, where another push had its id."""
        if not isinstance(request, Push) or request.id is None or not self._ids.is_reused(request):
            return ""
        return f"id: {shorten(request.id)} is that of another push, which is stored at {self._ids.position(request.id)}"

    def _new_pushes(self, requests: Sequence[Request]) -> dict[int, Push]:
        """What is to be stored, by its index in ``requests``; of equal ids in one batch the first."""
        new: dict[int, Push] = {}
        ids: set[str] = set()
        for i, request in enumerate(requests):
            if isinstance(request, Push):
                if request.id is not None:
                    if request.id in ids or self._ids.position(request.id) is not None:
                        continue
                    ids.add(request.id)
                new[i] = request
        return new

    def _answer(self, request: Request, position: Position | None, tail: Position, failure: str, reused: str) -> bytes:
        if isinstance(request, Push):
            if position is not None:
                self._counters.accepted += 1
                return encode_stored(request.id, position)
            first = None if request.id is None else self._ids.position(request.id)
            if reused:
                self._counters.refused[kind_of(reused)] += 1
                return encode_refused(request.id, "id_reused", reused)
            if first is not None:
                self._counters.duplicates += 1
                return encode_stored(request.id, first, duplicate=True)
            self._counters.storage_failed += 1
            return encode_refused(request.id, "storage_failed", failure)
        if isinstance(request, PositionRequest):
            return encode_tail(tail)
        self._counters.refused[kind_of(request.reason)] += 1
        return encode_refused(request.id, "invalid_push", request.reason)
