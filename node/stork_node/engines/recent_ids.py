"""Idempotency: which ids were stored lately, where, and for which content."""

from collections import deque
from collections.abc import Sequence

from msgspec import structs

from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push

KEEP_S = 300.0
KEEP_IDS = 1_000_000


def content_of(given: Push | Command) -> int:
    """
    A number for topics, type and data, or for a whole command: two documents with one id are one document where these
    are the same.
    """
    if isinstance(given, Command):
        return hash(structs.replace(given, given_s=0))
    return hash((given.topics, given.type, given.data))


class RecentIds:
    """
    The ids of stored pushes with their positions, for five minutes, and a million at most.

    Time is passed in, in seconds of a clock that never goes back.
    """

    def __init__(self, keep_s: float = KEEP_S, keep_ids: int = KEEP_IDS) -> None:
        self._keep_s, self._keep_ids = keep_s, keep_ids
        self._positions: dict[str, Position] = {}
        self._contents: dict[str, int] = {}  # of those that were stored since the start
        # The oldest first. A dict has an order too, but finds its first key slowly once many were deleted.
        self._order: deque[str] = deque()
        self._ages: deque[tuple[float, int]] = deque()  # (when, how many): one entry for all ids of one time

    def __len__(self) -> int:
        return len(self._positions)

    def position(self, id: str) -> Position | None:
        """Where the push with this id was stored first, if that is remembered."""
        return self._positions.get(id)

    def is_reused(self, push: Push | Command) -> bool:
        """Whether the id was stored for another content. Of what was stored before the start, only the id is known."""
        content = self._contents.get(push.id or "")
        return content is not None and content != content_of(push)

    def remember_documents(self, stored: Sequence[tuple[Push | Command, Position]], now: float) -> None:
        """As ``remember``, for pushes and commands: those without an id are passed over."""
        self._contents.update((push.id, content_of(push)) for push, _ in stored if push.id is not None)
        self.remember([(push.id, position) for push, position in stored if push.id is not None], now)

    def remember_content(self, given: Command) -> None:
        """The content of a command that was stored before the start."""
        if given.id in self._positions:
            self._contents[given.id] = content_of(given)

    def remember(self, stored: list[tuple[str, Position]], now: float) -> None:
        """Take ids as seen: none of them is remembered already."""
        if not stored:
            return
        self._positions.update(stored)
        self._order.extend(id for id, _ in stored)
        self._ages.append((now, len(stored)))
        while (excess := len(self._order) - self._keep_ids) > 0:
            self._forget(min(excess, self._ages[0][1]))

    def forget_old(self, now: float) -> None:
        """Forget what was remembered longer ago than it is kept."""
        while self._ages and now - self._ages[0][0] > self._keep_s:
            self._forget(self._ages[0][1])

    def _forget(self, number: int) -> None:
        """Forget the oldest, as many as have one age at most."""
        for _ in range(number):
            id = self._order.popleft()
            del self._positions[id]
            self._contents.pop(id, None)
        when, left = self._ages.popleft()
        if left > number:
            self._ages.appendleft((when, left - number))
