"""The feeds of all nodes, at the publish server: a push to any other feed reaches nobody."""

from collections.abc import Iterable, Sequence

from stork_node.protocol.commands.leases import FeedNames

_MOST_NAMED = 3


class DeclaredFeeds:
    """The feeds that at least one node serves; unknown unless there are nodes, and each has said its own."""

    def __init__(self) -> None:
        self._feeds: frozenset[str] | None = None
        self._versions: frozenset[str] = frozenset()

    def update(self, said: Iterable[FeedNames | None]) -> None:
        """Take what each attached node has said last; None for one that has said nothing of feeds."""
        known: set[str] = set()
        self._feeds = None
        nodes = list(said)
        if not nodes:
            return
        for feeds in nodes:
            if feeds is None:
                return
            known.update(feeds)
        self._versions = frozenset(name.removesuffix(".*") for name in known if name.endswith(".*"))
        self._feeds = frozenset(known)

    def warning(self, topics: Sequence[str]) -> str:
        """A sentence about the feeds of these topics that no node serves; empty if there is none."""
        if self._feeds is None:
            return ""
        missing = dict.fromkeys(feed for topic in topics if not self._has(feed := topic.rpartition(".")[0]))
        if not missing:
            return ""
        named = list(missing)[:_MOST_NAMED]
        more = len(missing) - len(named)
        feeds, them = ("feed", "it") if len(missing) == 1 else ("feeds", "them")
        rest = f" and {more:,} more" if more else ""
        return f"no application declares the {feeds} {', '.join(named)}{rest}: no client can subscribe to {them}"

    def _has(self, feed: str) -> bool:
        return feed in (self._feeds or ()) or feed.partition(".")[0] in self._versions
