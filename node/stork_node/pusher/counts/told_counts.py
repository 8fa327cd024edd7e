"""What the clients of one node have been told of the number of subscribers, and what has to be counted anew."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

MANY = 100
MANY_EVERY_S = 5.0
"""A channel with more subscribers than ``MANY`` is told once in this time."""

_encode = msgspec.json.Encoder().encode


class Told(NamedTuple):
    """``has_changed_here``: clients of this node have come or gone, and not those of other nodes only."""

    topic: str
    number: int
    has_changed_here: bool


def subscription_count(number: int) -> bytes:
    """The body of a frame, as ``server_frames.event`` takes it."""
    text = _encode({"subscription_count": number}).decode()
    return b'"event":"pusher_internal:subscription_count","data":%b' % _encode(text)


class ToldCounts:
    """Times are seconds of any clock that never goes back."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._told_at: dict[str, float] = {}
        self._here: set[str] = set()
        self._elsewhere: set[str] = set()

    def changed_here(self, topic: str) -> None:
        """A client of this node has subscribed, or does so no longer."""
        self._here.add(topic)

    def changed_elsewhere(self, topics: Iterable[str]) -> None:
        """It may have changed at another node."""
        self._elsewhere.update(topics)

    def forget(self, topic: str) -> None:
        """No client of this node is subscribed any more."""
        self._told.pop(topic, None)
        self._told_at.pop(topic, None)

    def all(self) -> list[str]:
        """The channels whose clients have been told a number."""
        return list(self._told)

    def due(self, now: float) -> tuple[list[str], list[str]]:
        """Take the topics to count now: those that have changed here, and those that may have changed elsewhere."""
        here = [topic for topic in self._here if self._is_due(topic, now)]
        elsewhere = [topic for topic in self._elsewhere - self._here if self._is_due(topic, now)]
        self._here.difference_update(here)
        self._elsewhere.difference_update(here, elsewhere)
        return here, elsewhere

    def count(self, counts: Mapping[str, int], here: frozenset[str], now: float) -> Iterator[Told]:
        """
        Take new counts; returns what is to be told.

        Args:
            here: the topics among them that have changed here: new clients have not been told yet.
        """
        for topic, number in counts.items():
            if topic in here or self._told.get(topic) != number:
                self._told[topic], self._told_at[topic] = number, now
                yield Told(topic, number, topic in here)

    def _is_due(self, topic: str, now: float) -> bool:
        return self._told.get(topic, 0) <= MANY or now - self._told_at[topic] >= MANY_EVERY_S
