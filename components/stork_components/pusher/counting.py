"""Channels, subscriptions and connections of a whole deployment: each node is asked, and answers for its clients."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from stork_components.pusher.presence import ChannelPresence
from stork_components.questions.deployment import Deployment
from stork_node.pusher.channel_table import ChannelTable, Subscribers

_CHANNELS, _COUNTS, _CONNECTIONS = "pusher_channels", "pusher_counts", "pusher_connections"
# Names of channels have 200 bytes at most, and topics 255: so they fit into one answer, and into one question.
_MOST_NAMES = 200
_MOST_TOPICS = 50
# Lists of channels that are being told, page by page.
_MOST_LISTS = 4


async def _no_pause() -> None: ...


class _Listing:
    """The channels of an app with subscribers here, as they were when somebody asked for the first page."""

    def __init__(self, found: dict[str, Subscribers]) -> None:
        self._found, self._names = found, sorted(found)

    def page(self, after: str) -> dict[str, int]:
        start = bisect_right(self._names, after)
        return {name: len(self._found[name].observers) for name in self._names[start : start + _MOST_NAMES]}


class Counting:
    """
    A node that says nothing in time counts as nothing.

    Args:
        table, presence: of this node.
        pause: ends in a later turn of the reactor, so that a long answer delays nobody.
    """

    def __init__(
        self,
        table: ChannelTable,
        presence: ChannelPresence,
        deployment: Deployment,
        pause: Callable[[], Awaitable[Any]] = _no_pause,
    ) -> None:
        self._table, self._presence, self._deployment, self.pause = table, presence, deployment, pause
        self._listings: dict[tuple[str, str], _Listing] = {}
        deployment.answer(_CHANNELS, self._channels_here)
        deployment.answer(_COUNTS, lambda topics: [self._count_here(topic) for topic in topics])
        deployment.answer(_CONNECTIONS, self._connections_here)

    # -- of all nodes --------------------------------------------------------------------------------------------------

    async def channels(self, version: str, prefix: str) -> dict[str, int]:
        """The channels of an app with subscribers, or members, on any node; and how many subscribers each has."""
        found: Counter[str] = Counter()
        pages = await self._deployment.ask(_CHANNELS, [version, prefix, ""])
        for node, page in pages.by_node.items():
            names = page
            while names:
                found.update(names)
                if len(names) < _MOST_NAMES:
                    break
                await self.pause()
                more = await self._deployment.ask(_CHANNELS, [version, prefix, max(names)], node=node)
                names = more.by_node.get(node)
        for channel, _ in self._presence.channels(version, prefix):
            found[channel.name] += 0
        return dict(found)

    async def subscriptions(self, topics: Sequence[str]) -> dict[str, int]:
        """How many clients are subscribed to the channels of these topics."""
        found: Counter[str] = Counter()
        for start in range(0, len(topics), _MOST_TOPICS):
            some = list(topics[start : start + _MOST_TOPICS])
            answers = await self._deployment.ask(_COUNTS, some)
            for counts in answers.by_node.values():
                found.update(dict(zip(some, counts, strict=True)))
        return {topic: found[topic] for topic in topics}

    async def connections(self, app_id: str) -> int:
        """How many clients of an app are connected."""
        answers = await self._deployment.ask(_CONNECTIONS, app_id)
        return sum(answers.by_node.values())

    def users(self, topic: str) -> list[str]:
        """The members of a presence channel."""
        return self._presence.users(topic)

    # -- of this node --------------------------------------------------------------------------------------------------

    def _channels_here(self, params: Any) -> dict[str, int]:
        version, prefix, after = params
        key = version, prefix
        listing = self._listings.pop(key, None) if after else None
        if listing is None:
            listing = _Listing({each.channel.name: each for each in self._table.channels(version, prefix)})
        page = listing.page(after)
        if len(page) == _MOST_NAMES:  # there may be more
            self._listings[key] = listing
            while len(self._listings) > _MOST_LISTS:
                del self._listings[next(iter(self._listings))]
        return page

    def _count_here(self, topic: str) -> int:
        subscribers = self._table.match(topic)
        return len(subscribers.observers) if subscribers else 0

    def _connections_here(self, app_id: Any) -> int:
        return sum(each.connection.app.id == app_id for each in self._table.sockets.values())
