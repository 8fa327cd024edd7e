"""The order of one topic within one subscription: which events to deliver, to hold back, and to ignore."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stork_node.errors import InvalidPosition
from stork_node.protocol.positions import Position


@dataclass(frozen=True)
class Event:
    """
    One push, as a subscriber gets it.

    Attributes:
        topic: the topic of the push, also for a subscription to a pattern.
        type: the push's type; empty for an event of another publisher.
        data: any JSON value.
        timestamp: RFC 3339, UTC.
        position: the push's place, ``epoch:sequence``, for ``since``. None if another publisher sent it.
    """

    topic: str
    type: str
    data: Any
    timestamp: str
    position: str | None

    @classmethod
    def of(cls, topic: str, payload: Any, position: Any) -> "Event":
        """The event in an EVENT's first argument, or in an answer of ``recover``."""
        position = position if isinstance(position, str) else None
        match payload:
            case {"type": str(type_), "data": data, "timestamp": str(timestamp)}:
                return cls(topic, type_, data, timestamp, position)
        return cls(topic, "", payload, "", position)


@dataclass(frozen=True)
class Answered:
    """
    The result of an answer of ``recover``.

    Attributes:
        events: the events to deliver now, in order.
        recovered: True if all missed events are delivered; False if events are lost before ``events``, all of which
            are later than ``position``; None if there was no gap, or the rest is still to come.
        position: the topic's position; if events are lost, load the state after it.
        more: whether to ask again, from ``position``.
    """

    events: list[Event]
    recovered: bool | None
    position: str | None
    more: bool = False


class TopicCursor:
    """
    The position of one topic (docs/delivery.md#the-clients-algorithm).

    ``take`` and ``answer`` return the events to deliver now, each at most once and in order.

    Raises:
        InvalidPosition: ``since`` is no position.
    """

    def __init__(self, topic: str, since: str | None = None) -> None:
        self.topic = topic
        self._at = None if since is None else Position.parse(since)
        self._held: list[Event] | None = None
        self._followed = False

    @property
    def position(self) -> str | None:
        return None if self._at is None else str(self._at)

    def hold(self) -> str | None:
        """
        Subscribed: hold events back until the answer. Returns the position to ask ``recover`` with.

        The first time without a position there is no gap, and nothing is held. A topic that was followed before, and
        cut before it knew its position, has a gap that cannot be filled: it waits for that answer.
        """
        self._held = [] if self._at is not None or self._followed else None
        self._followed = True
        return self.position

    def take(self, event: Event) -> list[Event]:
        """Take an event of the subscription."""
        if self._held is None:
            return self._new([event])
        self._held.append(event)
        return []

    def answer(self, answer: Mapping[str, Any] | None) -> Answered:
        """Take the answer of ``recover`` for this topic; None if the node has none."""
        asked, before = self._held is not None, self._at
        if asked and answer and answer.get("recovered") is True:
            events = self._new(self._events(answer.get("events")))
            self._advance(answer.get("position"))
            if not answer.get("more"):
                return Answered(events + self._let_go(), True, self.position)
            if self._at != before:
                return Answered(events, None, self.position, more=True)
            # ``more`` without progress would go on for ever: then events are lost before the held ones.
            gap_ends = self.position
            return Answered(events + self._let_go(), False, gap_ends)
        if answer:
            # After a false answer, the application loads its state after this position: held events up to it are part
            # of the state.
            self._advance(answer.get("position"))
        gap_ends = self.position
        return Answered(self._let_go(), False if asked else None, gap_ends)

    def beat(self, position: Any) -> None:
        """Every event up to ``position`` has come on this connection."""
        at = parse_position(position)
        if at and self._held is None and (self._at is None or self._at.epoch == at.epoch):
            self._advance(position)

    def _let_go(self) -> list[Event]:
        held, self._held = self._held or [], None
        return self._new(held)

    def _new(self, events: Iterable[Event]) -> list[Event]:
        return [event for event in events if self._is_new(event)]

    def _is_new(self, event: Event) -> bool:
        return self._advance(event.position)

    def _events(self, answers: Any) -> list[Event]:
        return _events(answers, lambda _: self.topic)

    def _advance(self, position: Any) -> bool:
        at = parse_position(position)
        if at is None:
            return True  # no position (another publisher's event): nothing to compare
        if self._at is not None and self._at.epoch == at.epoch and at <= self._at:
            return False
        self._at = at
        return True


class PatternCursor(TopicCursor):
    """
    The position of a pattern: all events up to it have come. Topics have a position of their own only beyond it, so
    what a position event has covered needs no memory.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self._topics: dict[str, Position] = {}

    def _is_new(self, event: Event) -> bool:
        at = parse_position(event.position)
        if at is None:
            return True
        for known in (self._at, self._topics.get(event.topic)):
            if known is not None and known.epoch == at.epoch and at <= known:
                return False
        self._topics[event.topic] = at
        return True

    def _events(self, answers: Any) -> list[Event]:
        return _events(answers, lambda each: str(each.get("topic")))

    def _advance(self, position: Any) -> bool:
        if not super()._advance(position):
            return False
        here = self._at
        if here is not None and parse_position(position):
            later = {topic: at for topic, at in self._topics.items() if at.epoch == here.epoch and at > here}
            self._topics = later
        return True


def parse_position(position: Any) -> Position | None:
    """A position on the wire; None for anything else."""
    try:
        return Position.parse(position) if isinstance(position, str) else None
    except InvalidPosition:
        return None


def _events(answers: Any, topic_of: Callable[[Mapping[str, Any]], str]) -> list[Event]:
    answers = answers if isinstance(answers, list) else []
    return [Event.of(topic_of(each), each, each.get("position")) for each in answers if isinstance(each, dict)]
