"""
Histories: what was pushed to each topic lately, bounded in time and in memory (docs/delivery.md#recovery).

Per push there is no timer and no search: topics stand in the order of their last push, and once a second (``sweep``)
each rule looks at the topics that had pushes in the second that has become too old for it.

An empty topic keeps the number of its last push. So only the floor of this topic rises, not that of all topics. If
there are too many empty topics, the oldest are removed completely, and the floor of all topics rises.
"""

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from heapq import merge, nlargest
from itertools import islice, takewhile
from operator import attrgetter, itemgetter

from msgspec import Struct

from stork_node.protocol.bus import PushFrame
from stork_node.relay.history_settings import HistoryRule, HistorySettings

# What Python needs beside the event's bytes (64-bit CPython 3.11; a test compares the sum with tracemalloc).
_PUSH_BYTES = 180  # Kept with its numbers, the header of bytes
_EXCLUDED_BYTES = 40  # one session id in a tuple
_ENTRY_BYTES = 24  # a place in a topic's list, and now and then one among the topics of a second
_TOPIC_BYTES = 480  # TopicHistory with its numbers and list, its place among the topics, the header of its name

# Of all memory, at most so much for topics that have nothing left but a number.
_EMPTY_SHARE = 4

_LOOKED_AT = 10_000
_sequence, _second = attrgetter("sequence"), attrgetter("second")


class Kept(Struct, gc=False):
    """
    One push that is kept, once for all of its topics.

    Attributes:
        event: JSON of the object that clients get.
        exclude: sessions that did not get it.
        size: bytes that it takes.
        second: of its arrival, by the count of sweeps.
        holders: topics whose history holds it.
    """

    sequence: int
    event: bytes
    exclude: tuple[int, ...]
    size: int
    second: int
    holders: int = 0


class _Shelf:
    """The topics of one rule that had pushes in the present second, and in each one before that is still kept."""

    __slots__ = ("now", "past", "rule")

    def __init__(self, rule: HistoryRule) -> None:
        self.rule = rule
        self.now: set[_TopicHistory] = set()
        self.past: deque[tuple[float, int, set[_TopicHistory]]] = deque()  # its end, its number, its topics


class _TopicHistory:
    __slots__ = ("bytes", "entries", "last", "removed", "shelf", "topic")

    def __init__(self, topic: str, shelf: _Shelf) -> None:
        self.topic, self.shelf = topic, shelf
        self.entries: list[Kept] = []
        self.bytes = 0
        self.last = 0  # the number of the topic's last push or erasure
        self.removed = 0  # … of the last one that is not in entries any more


class Histories:
    """What one node remembers since ``begin``. Times are seconds of a clock that never goes back."""

    def __init__(self, settings: HistorySettings) -> None:
        self._settings = settings
        self._shelves: dict[HistoryRule, _Shelf] = {}
        self._held: OrderedDict[str, _TopicHistory] = OrderedDict()  # topics with pushes, by the last one
        self._empty: OrderedDict[str, _TopicHistory] = OrderedDict()  # … of which nothing is left, by when that was
        self._base = 0  # the number before the first that is known
        self._forgotten = 0  # the last push of any topic that was forgotten altogether
        self._bytes = 0
        self._second = 0

    @property
    def bytes(self) -> int:
        """Memory that the histories take, with what Python needs for it."""
        return self._bytes

    @property
    def topics(self) -> int:
        """Topics of which something is known; their pushes may all be too old."""
        return len(self._held) + len(self._empty)

    def begin(self, base: int) -> None:
        """Forget everything: what follows are the pushes after number ``base``."""
        self._held.clear()
        self._empty.clear()
        self._shelves.clear()
        self._base, self._forgotten, self._bytes = base, 0, 0

    def keep(self, push: PushFrame) -> None:
        """Take the next push. One that is not to be stored leaves no trace."""
        if not push.store:
            return
        sequence, exclude = push.position.sequence, push.exclude
        size = _PUSH_BYTES + len(push.event) + _EXCLUDED_BYTES * len(exclude)
        kept = Kept(sequence, push.event, exclude, size, self._second)
        for topic in push.topics:
            history = self._touch(topic, sequence)
            rule = history.shelf.rule
            if rule.is_off or size > rule.bytes:
                self._clear(history)
                continue
            history.entries.append(kept)
            history.bytes += size
            history.shelf.now.add(history)
            kept.holders += 1
            self._bytes += _ENTRY_BYTES
            if history.bytes > rule.bytes:
                self._shorten(history)
        if kept.holders:
            self._bytes += size
        self._stay_within_bounds()

    def erase(self, topic: str, sequence: int) -> None:
        """Forget what was pushed to a topic before number ``sequence``, which is the erasure's own."""
        self._clear(self._touch(topic, sequence))
        self._stay_within_bounds()

    def floor(self, topic: str) -> int:
        """The history of a topic is complete for every position from here on."""
        history = self._held.get(topic) or self._empty.get(topic)
        return max(self._base, self._forgotten, history.removed if history else 0)

    def after(self, topic: str, sequence: int) -> Sequence[Kept]:
        """What is kept of a topic after a number, in order."""
        history = self._held.get(topic)
        if history is None or history.last <= sequence:
            return ()
        return history.entries[bisect_right(history.entries, sequence, key=_sequence) :]

    def floor_of(self, matches: Callable[[str], bool], sequence: int) -> int:
        """
        As ``floor``, of all topics that match together, where it lies after ``sequence``; otherwise some number up to
        that.
        """
        floor = max(self._base, self._forgotten)
        for history in (*self._since(sequence), *self._empty.values()):
            if history.removed > max(floor, sequence) and matches(history.topic):
                floor = history.removed
        return floor

    def after_in(self, matches: Callable[[str], bool], sequence: int) -> Iterator[tuple[str, Kept]]:
        """What is kept of all topics that match after a number, in order; of one push, its topics follow each other."""
        each = (self._named(history.topic, sequence) for history in self._since(sequence) if matches(history.topic))
        return merge(*each, key=lambda named: named[1].sequence)

    def _named(self, topic: str, sequence: int) -> Iterator[tuple[str, Kept]]:
        for kept in self.after(topic, sequence):
            yield topic, kept

    def _since(self, sequence: int) -> list[_TopicHistory]:
        """The topics with pushes, or an erasure, after a number."""
        return list(takewhile(lambda history: history.last > sequence, reversed(self._held.values())))

    def busiest(self, seconds: int, most: int) -> list[tuple[str, int]]:
        """
        The topics with the most kept pushes of the last ``seconds``, with their numbers.

        It looks at the ``_LOOKED_AT`` topics that had pushes last.
        """
        since = self._second - seconds
        counts: list[tuple[str, int]] = []
        for history in islice(reversed(self._held.values()), _LOOKED_AT):
            number = len(history.entries) - bisect_right(history.entries, since, key=_second)
            if number:
                counts.append((history.topic, number))
        return nlargest(most, counts, key=itemgetter(1))

    def sweep(self, now: float) -> None:
        """Remove what has become too old: to be called about once a second."""
        for shelf in self._shelves.values():
            if shelf.now:
                shelf.past.append((now, self._second, shelf.now))
                shelf.now = set()
            while shelf.past and now - shelf.past[0][0] >= shelf.rule.seconds:
                _, second, histories = shelf.past.popleft()
                for history in histories:
                    # It may have been emptied since, and even have been forgotten.
                    if history.entries:
                        self._drop(history, bisect_right(history.entries, second, key=_second))
        self._second += 1
        self._stay_within_bounds()

    def _touch(self, topic: str, sequence: int) -> _TopicHistory:
        """The history of a topic that has a push now; the newest of all."""
        history = self._held.get(topic)
        if history is not None:
            self._held.move_to_end(topic)
        else:
            history = self._empty.pop(topic) if topic in self._empty else self._make(topic)
            self._held[topic] = history
        history.last = sequence
        return history

    def _make(self, topic: str) -> _TopicHistory:
        rule = self._settings.rule(topic)
        shelf = self._shelves.get(rule) or self._shelves.setdefault(rule, _Shelf(rule))
        self._bytes += _TOPIC_BYTES + len(topic)
        return _TopicHistory(topic, shelf)

    def _shorten(self, history: _TopicHistory) -> None:
        """Remove the oldest of a topic, and some more than is needed: each removal costs the length of its list."""
        target = history.shelf.rule.bytes * 7 // 8
        left, count = history.bytes, 0
        while left > target and count < len(history.entries) - 1:
            left -= history.entries[count].size
            count += 1
        self._drop(history, count)

    def _drop(self, history: _TopicHistory, count: int) -> None:
        """Remove the first pushes of a topic that has so many."""
        if not count:
            return
        for kept in history.entries[:count]:
            history.bytes -= kept.size
            kept.holders -= 1
            if not kept.holders:
                self._bytes -= kept.size
        self._bytes -= _ENTRY_BYTES * count
        history.removed = history.entries[count - 1].sequence
        del history.entries[:count]
        if not history.entries:
            self._empty[history.topic] = self._held.pop(history.topic)

    def _clear(self, history: _TopicHistory) -> None:
        """Remove everything of a topic that is held, its last push or erasure as well."""
        self._drop(history, len(history.entries))
        history.removed = history.last
        self._held.pop(history.topic, None)
        self._empty[history.topic] = history

    def _stay_within_bounds(self) -> None:
        total = self._settings.total_bytes
        while self._bytes > total and self._held:
            self._clear(next(iter(self._held.values())))
        while self._empty and (self._bytes > total or len(self._empty) * _TOPIC_BYTES > total // _EMPTY_SHARE):
            topic, history = self._empty.popitem(last=False)
            self._bytes -= _TOPIC_BYTES + len(topic)
            self._forgotten = max(self._forgotten, history.last)
