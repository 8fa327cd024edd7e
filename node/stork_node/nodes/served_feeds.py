"""The feeds to which clients of this node may subscribe. The node says them to its publish server with each lease."""

from collections.abc import Callable, Iterable

from stork_node.protocol.commands.leases import MOST_FEEDS, MOST_FEEDS_CHARACTERS, FeedNames


def _never() -> bool:
    return False


class ServedFeeds:
    """
    What is known of them. They are unknown until an application has declared its feeds, and from the moment on when
    somebody else decides about topics: a backend, or tickets that name any topic.
    """

    def __init__(self) -> None:
        self._declared: frozenset[str] | None = None
        self._others: set[str] = set()
        self._is_open = False
        self._backend_decides: Callable[[], bool] = _never
        self._changed: Callable[[], None] | None = None

    def declare(self, feeds: Iterable[str] | None) -> None:
        """An application has started: its feeds, such as ``v1.orders``; None: it permits others, too."""
        self._declared = None if feeds is None else frozenset(feeds)
        self._tell()

    def permit(self, feeds: Iterable[str]) -> None:
        """Something else than a declaration permits these feeds, such as a ticket, or ``pusher.*`` for a version."""
        if not self._others.issuperset(new := set(feeds)):
            self._others |= new
            self._is_open = self._is_open or len(self._others) > MOST_FEEDS
            self._tell()

    def ask_backend(self, decides: Callable[[], bool]) -> None:
        """
        ``decides``: whether a backend decides about topics now.

        It is taken to decide later as well: its feeds are not known, and it may be away for a moment.
        """
        self._backend_decides = decides

    def watch(self, changed: Callable[[], None]) -> None:
        """``changed`` is called after each change."""
        self._changed = changed

    def names(self) -> FeedNames | None:
        """The feeds in order, ``pusher.*`` for all feeds of a version; None: they are not known, or too many."""
        self._is_open = self._is_open or self._backend_decides()
        if self._is_open or self._declared is None:
            return None
        feeds = self._declared | self._others
        is_short = len(feeds) <= MOST_FEEDS and sum(map(len, feeds)) <= MOST_FEEDS_CHARACTERS
        return tuple(sorted(feeds)) if is_short else None

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed()
