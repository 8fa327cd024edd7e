"""Pushes without an answer yet, and the matching of answers to them."""

from collections import deque
from collections.abc import Iterable

from stork_node.errors import PushRefused
from stork_node.protocol.answers import Answer, decode_answer
from stork_node.protocol.commands.results import CommandResult


class StoredPosition(str):
    """
    Where a push is stored, ``<epoch>:<sequence>``.

    Attributes:
        duplicate: whether the id was known: then this is the position of the first push, and nothing was delivered.
        receipt: for a push with ``receipt``: by node, how many sessions got it (``sent``), have bytes waiting
            (``slow``), were cut and were excluded; or ``"pending"``, ``"gone"``, ``"old"``.
        warning: why the stored push reaches nobody, in a sentence; else empty.
    """

    duplicate = False
    receipt: dict[str, dict[str, int] | str] | None = None
    warning = ""

    @classmethod
    def of(cls, answer: Answer) -> "StoredPosition":
        position = cls(answer.position)
        position.duplicate, position.warning = answer.duplicate, answer.warning
        position.receipt = answer.receipt
        return position


class PendingPush:
    """
    One document that waits for its answer; ``id`` is None for a request of the position.

    ``wait_ms`` is how long the answer may wait for nodes, besides the time-out.
    """

    __slots__ = ("frame", "id", "outcome", "wait_ms")

    def __init__(self, id: str | None, frame: bytes, wait_ms: int = 0) -> None:
        self.id, self.frame, self.wait_ms = id, frame, wait_ms
        self.outcome: StoredPosition | CommandResult | PushRefused | None = None
        """The position, the result of a command, or the refusal; None until there is an answer."""


class PendingPushes:
    """
    The unanswered pushes of one connection, in the order in which their documents were sent.

    An answer finds its push by the id, and by the order among equal ids. An answer to an abandoned attempt settles
    nothing.
    """

    def __init__(self, pending_pushes: Iterable[PendingPush] = ()) -> None:
        self._pushes: dict[PendingPush, None] = {}
        self._by_id: dict[str | None, deque[PendingPush]] = {}
        for pending_push in pending_pushes:
            self.add(pending_push)

    def __len__(self) -> int:
        return len(self._pushes)

    def add(self, pending_push: PendingPush) -> None:
        """The push is being sent."""
        self._pushes[pending_push] = None
        self._by_id.setdefault(pending_push.id, deque()).append(pending_push)

    def frames(self) -> list[bytes]:
        """The documents to send again on a new connection, in order."""
        return [pending_push.frame for pending_push in self._pushes]

    def drop(self, pending_push: PendingPush) -> None:
        """The caller no longer waits for this answer."""
        if pending_push in self._pushes:
            del self._pushes[pending_push]
            waiting = self._by_id[pending_push.id]
            waiting.remove(pending_push)
            if not waiting:
                del self._by_id[pending_push.id]

    def settle(self, frame: bytes) -> PendingPush | None:
        """The push of an answer, with its outcome; None if no caller waits for it."""
        answer = decode_answer(frame)
        return None if answer is None else self.settle_by(answer)

    def settle_by(self, answer: Answer) -> PendingPush | None:
        """As ``settle``, for an answer that is read already."""
        waiting = self._by_id.get(answer.id)
        if not waiting:
            return None
        pending_push = waiting[0]
        pending_push.outcome = _outcome(answer)
        self.drop(pending_push)
        return pending_push


def _outcome(answer: Answer) -> StoredPosition | CommandResult | PushRefused:
    if answer.ok and answer.complete is not None:
        return CommandResult(answer.position, answer.complete, answer.nodes)
    return StoredPosition.of(answer) if answer.ok else PushRefused(answer.error, answer.reason)
