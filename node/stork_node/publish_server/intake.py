"""The decision of one wake-up: which pushes are stored, and what each peer is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from stork_node.protocol.answers import encode_refused, encode_stored, encode_tail
from stork_node.protocol.positions import Position
from stork_node.protocol.push import PositionRequest, Push
from stork_node.protocol.push_refusals import kind_of
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
    """One answer for each request, and how many pushes were ``stored``; ``failure`` says why the log took nothing."""

    answers: list[bytes]
    stored: int = 0
    failure: str = ""


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
                self._ids.remember([(push.id, stored[i]) for i, push in new.items() if push.id is not None], now)
        tail = self._log.tail
        answers = [self._answer(request, stored.get(i), tail, failure) for i, request in enumerate(requests)]
        return Outcome(answers, len(stored), failure)

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

    def _answer(self, request: Request, position: Position | None, tail: Position, failure: str) -> bytes:
        if isinstance(request, Push):
            if position is not None:
                self._counters.accepted += 1
                return encode_stored(request.id, position)
            first = None if request.id is None else self._ids.position(request.id)
            if first is not None:
                self._counters.duplicates += 1
                return encode_stored(request.id, first, duplicate=True)
            self._counters.storage_failed += 1
            return encode_refused(request.id, "storage_failed", failure)
        if isinstance(request, PositionRequest):
            return encode_tail(tail)
        self._counters.refused[kind_of(request.reason)] += 1
        return encode_refused(request.id, "invalid_push", request.reason)
