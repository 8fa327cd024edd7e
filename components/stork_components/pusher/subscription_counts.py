"""Counts the subscribers of channels on all nodes when they change, and tells the clients of this node."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import task
from twisted.logger import Logger

from stork_components.questions.deployment import Deployment
from stork_crossbar.component import in_turn
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.counts.told_counts import ToldCounts, subscription_count

_CHANGED, _COUNTS = "pusher_changed", "pusher_counts"
_EVERY_S = 1.0
# A node that is gone says nothing: what it had is noticed by counting all anew.
_ALL_EVERY_S = 30.0
_MOST_TOPICS = 50


class SubscriptionCounts:
    """
    Args:
        tell: writes the body of a frame to all clients of a channel on this node.
        changed: is called with the topic and the number where clients of this node have come or gone.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        table: ChannelTable,
        deployment: Deployment,
        tell: Callable[[str, bytes], None],
        changed: Callable[[str, int], None],
    ) -> None:
        self._reactor, self._table, self._deployment = reactor, table, deployment
        self._tell, self._changed = tell, changed
        self._counts = ToldCounts()
        self._is_counting = False
        self._all_at = reactor.seconds() + _ALL_EVERY_S
        deployment.answer(_CHANGED, self._answer)
        self._looking = task.LoopingCall(self._look)
        self._looking.clock = reactor

    def begin(self) -> None:
        self._looking.start(_EVERY_S, now=False)

    def end(self) -> None:
        self._looking.stop()

    def note(self, topic: str) -> None:
        """The clients of this node that are subscribed to a channel have changed."""
        self._counts.changed_here(topic)

    def _answer(self, topics: Sequence[str]) -> list[int]:
        self._counts.changed_elsewhere(topic for topic in topics if self._table.match(topic))
        return [self._here(topic) for topic in topics]

    def _here(self, topic: str) -> int:
        subscribers = self._table.match(topic)
        return len(subscribers.observers) if subscribers else 0

    def _look(self) -> None:
        if self._is_counting:
            return
        now = self._reactor.seconds()
        if now >= self._all_at:
            self._all_at = now + _ALL_EVERY_S
            self._counts.changed_elsewhere(self._counts.all())
        here, elsewhere = self._counts.due(now)
        if here or elsewhere:
            self._is_counting = True
            in_turn(self._count(here, elsewhere))

    async def _count(self, here: list[str], elsewhere: list[str]) -> None:
        try:
            for question, topics in ((_CHANGED, here), (_COUNTS, elsewhere)):
                for start in range(0, len(topics), _MOST_TOPICS):
                    await self._count_some(question, topics[start : start + _MOST_TOPICS])
        except Exception:
            self.log.failure("the subscribers of channels could not be counted")
        finally:
            self._is_counting = False

    async def _count_some(self, question: str, topics: list[str]) -> None:
        # Of this node, what is there after the others have answered.
        answers = await self._deployment.ask(question, topics)
        others = [counts for node, counts in answers.by_node.items() if node != self._deployment.label]
        counts = {}
        for number, topic in enumerate(topics):
            counts[topic] = self._here(topic) + sum(each[number] for each in others)
        here = frozenset(topics) if question == _CHANGED else frozenset()
        for told in self._counts.count(counts, here, self._reactor.seconds()):
            if self._table.match(told.topic):
                self._tell(told.topic, subscription_count(told.number))
            else:
                self._counts.forget(told.topic)
            if told.has_changed_here:
                self._changed(told.topic, told.number)
