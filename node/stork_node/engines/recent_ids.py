"""Idempotency: which ids were stored lately, where, and for which content."""

from collections import deque
from collections.abc import Iterable

from msgspec import structs

from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.push_log.entries import Addition, Entry

KEEP_S = 300.0
KEEP_IDS = 1_000_000


def content_of(given: Addition) -> int:
    """
    A number for topics, type and data, or for a whole command: two documents with one id are one document where these
    are the same.
    """
    match given:
        case Push():
            return hash((given.topics, given.type, given.data))
        case Command():
            return hash(structs.replace(given, given_s=0))
        case _:
            return hash(given)


class RecentIds:
    """
    The ids of stored pushes with their positions, for five minutes, and a million at most.

    Time is passed in, in seconds of a clock that never goes back.
    """

    def __init__(self, keep_s: float = KEEP_S, keep_ids: int = KEEP_IDS) -> None:
        self._keep_s, self._keep_ids = keep_s, keep_ids
        # With the content of what was stored since the start.
        self._seen: dict[str, tuple[Position, int | None]] = {}
        # The oldest first. A dict has an order too, but finds its first key slowly once many were deleted.
        self._order: deque[str] = deque()
        self._ages: deque[tuple[float, int]] = deque()  # (when, how many): one entry for all ids of one time

    def __len__(self) -> int:
        return len(self._seen)

    def position(self, id: str) -> Position | None:
        """Where the push with this id was stored first, if that is remembered."""
        seen = self._seen.get(id)
        return seen[0] if seen else None

    def is_reused(self, push: Push | Command) -> bool:
        """Whether the id was stored for another content. Of what was stored before the start, only the id is known."""
        _, content = self._seen.get(push.id or "", _UNSEEN)
        return content is not None and content != content_of(push)

    def remember_entries(self, stored: Iterable[tuple[Addition, Entry]], now: float) -> None:
        """As ``remember``, with their content; those without an id are passed over."""
        self._take({entry.id: (entry.position, content_of(given)) for given, entry in stored if entry.id}, now)

    def remember_content(self, given: Command) -> None:
        """The content of a command that was stored before the start."""
        if given.id in self._seen:
            self._seen[given.id] = self._seen[given.id][0], content_of(given)

    def remember(self, stored: list[tuple[str, Position]], now: float) -> None:
        """Take ids as seen: none of them is remembered already."""
        self._take({id: (position, None) for id, position in stored}, now)

    def _take(self, new: dict[str, tuple[Position, int | None]], now: float) -> None:
        if not new:
            return
        self._seen.update(new)
        self._order.extend(new)
        self._ages.append((now, len(new)))
        while (excess := len(self._order) - self._keep_ids) > 0:
            self._forget(min(excess, self._ages[0][1]))

    def forget_old(self, now: float) -> None:
        """Forget what was remembered longer ago than it is kept."""
        while self._ages and now - self._ages[0][0] > self._keep_s:
            self._forget(self._ages[0][1])

    def _forget(self, number: int) -> None:
        """Forget the oldest, as many as have one age at most."""
        for _ in range(number):
            del self._seen[self._order.popleft()]
        when, left = self._ages.popleft()
        if left > number:
            self._ages.appendleft((when, left - number))


_UNSEEN = (None, None)
