"""Topics that a ticket itself permits: ``v1.orders.42``, and ``v1.orders.*`` for all topics of a feed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stork_node.errors import InvalidTopic
from stork_node.protocol.topics import Match, Topic

Patterns = Mapping[str, tuple[str, ...]]
"""The matches, ``prefix`` or ``wildcard``, that each feed (``v1.orders``) has."""

_ALL = "*"


@dataclass(frozen=True, slots=True)
class Grants:
    """``topics`` in full, and ``feeds`` (``v1.orders``) with all of their topics."""

    topics: frozenset[str] = frozenset()
    feeds: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, listed: Any, name: str = "topics") -> Self:
        """
        Read a list such as ``["v1.orders.42", "v1.news.*"]``.

        Raises:
            ValueError: not a list, or an entry that is neither a topic nor a feed with ``*``; ``name`` is in the text.
        """
        if not isinstance(listed, list | tuple):
            raise ValueError(f"{name} is of type {type(listed).__name__}, want a list of topics")
        topics, feeds = set(), set()
        for number, entry in enumerate(listed):
            if not isinstance(entry, str):
                raise ValueError(f"{name}[{number}] is of type {type(entry).__name__}, want a topic")
            feed, _, last = entry.rpartition(".")
            try:
                topic = Topic.parse(f"{feed}.x" if last == _ALL else entry)
            except InvalidTopic:
                raise ValueError(f"{name}[{number}] is {entry!r}, want v1.orders.42 or v1.orders.*") from None
            if last == _ALL:
                feeds.add(_feed(topic))
            else:
                topics.add(entry)
        return cls(frozenset(topics), frozenset(feeds))

    def permit(self, uri: str, match: Match, patterns: Patterns) -> bool:
        """
        Whether a session with these grants may subscribe.

        A pattern needs a grant of the whole feed, and a feed that has such patterns.
        """
        if match == "exact" and uri in self.topics:
            return True
        if not self.feeds:
            return False
        try:
            feed = _feed(Topic.parse_pattern(uri, match))
        except InvalidTopic:
            return False
        return feed in self.feeds and (match == "exact" or match in patterns.get(feed, ()))

    def all_feeds(self) -> frozenset[str]:
        """The feeds of which they permit something."""
        return self.feeds.union(topic.rpartition(".")[0] for topic in self.topics)

    def to_wire(self) -> list[str]:
        """The list that ``parse`` reads."""
        return [*sorted(self.topics), *(f"{feed}.{_ALL}" for feed in sorted(self.feeds))]


NO_GRANTS = Grants()


def _feed(topic: Topic) -> str:
    return f"{topic.version}.{topic.feed}"
