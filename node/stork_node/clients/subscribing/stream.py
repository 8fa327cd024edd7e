"""The order of one topic within one subscription: what to hand on, what to hold back, what has been there before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stork_node.errors import InvalidPosition
from stork_node.protocol.positions import Position


@dataclass(frozen=True)
class Event:
    """
    One push, as a subscriber gets it.

    Attributes:
        topic: the topic it was pushed to, also where the subscription is to a pattern.
        type: the push's type; empty for an event of another publisher.
        data: any JSON value.
        timestamp: RFC 3339, UTC.
        position: where the push stands, ``epoch:sequence``: what ``since`` takes. None where another publisher sent it.
    """

    topic: str
    type: str
    data: Any
    timestamp: str
    position: str | None

    @classmethod
    def of(cls, topic: str, payload: Any, position: Any) -> "Event":
        """The event in an EVENT's first argument, or in one of ``recover``'s answers."""
        position = position if isinstance(position, str) else None
        match payload:
            case {"type": str(type_), "data": data, "timestamp": str(timestamp)}:
                return cls(topic, type_, data, timestamp, position)
        return cls(topic, "", payload, "", position)


@dataclass(frozen=True)
class Answered:
    """
    What an answer of ``recover`` comes to.

    Attributes:
        events: to hand on now, in order.
        recovered: True where all that was missed has been handed on; False where a gap comes before ``events``, all of
            which are later than ``position``; None where there was no gap to ask about, or the rest is still to come.
        position: the topic's position; after a gap, one to load the state after.
        more: whether to ask again, from ``position``.
    """

    events: list[Event]
    recovered: bool | None
    position: str | None
    more: bool = False


class TopicCursor:
    """
    The position of one topic (docs/delivery.md#the-clients-algorithm).

    ``take`` and ``answer`` give the events to hand on now, each at most once and in order.

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
        Subscribed: hold events back until the answer. Returns what to ask ``recover`` with.

        The first time without a position there is no gap to fill, and nothing is held. A stream that was followed
        before, and cut before it knew its position, has a gap that nobody can fill: it waits to be told so.
        """
        self._held = [] if self._at is not None or self._followed else None
        self._followed = True
        return self.position

    def take(self, event: Event) -> list[Event]:
        """An event that came by the subscription."""
        if self._held is None:
            return self._new([event])
        self._held.append(event)
        return []

    def answer(self, answer: Mapping[str, Any] | None) -> Answered:
        """The answer of ``recover`` for this topic; None where the node has none to give."""
        asked, before = self._held is not None, self._at
        if asked and answer and answer.get("recovered") is True:
            events = self._new(_events(self.topic, answer.get("events")))
            self._advance(answer.get("position"))
            if not answer.get("more"):
                return Answered(events + self._let_go(), True, self.position)
            if self._at != before:
                return Answered(events, None, self.position, more=True)
            # More without a step forward would go on for ever: what is held comes after a gap.
            gap_ends = self.position
            return Answered(events + self._let_go(), False, gap_ends)
        if answer:
            # Told false, the application loads its state after this position: what is held up to it is part of that.
            self._advance(answer.get("position"))
        gap_ends = self.position
        return Answered(self._let_go(), False if asked else None, gap_ends)

    def beat(self, position: Any) -> None:
        """Every event up to ``position`` has come by this connection."""
        at = _parse(position)
        if at and self._held is None and (self._at is None or self._at.epoch == at.epoch):
            self._advance(position)

    def _let_go(self) -> list[Event]:
        held, self._held = self._held or [], None
        return self._new(held)

    def _new(self, events: Iterable[Event]) -> list[Event]:
        return [event for event in events if self._advance(event.position)]

    def _advance(self, position: Any) -> bool:
        at = _parse(position)
        if at is None:
            return True  # not numbered (another publisher's event): nothing to compare
        if self._at is not None and self._at.epoch == at.epoch and at <= self._at:
            return False
        self._at = at
        return True


def _parse(position: Any) -> Position | None:
    try:
        return Position.parse(position) if isinstance(position, str) else None
    except InvalidPosition:
        return None


def _events(topic: str, answers: Any) -> list[Event]:
    answers = answers if isinstance(answers, list) else []
    return [Event.of(topic, answer, answer.get("position")) for answer in answers if isinstance(answer, dict)]
