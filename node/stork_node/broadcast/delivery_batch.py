"""
One turn of the broadcaster: all pushes that were waiting, and what each connection gets of them.

Connections with the same subscriptions get the same bytes. So nothing here is done for each push and connection: events
are made for each subscription, and joined for each group of connections.

A push goes out once for each of its topics. So a connection may get far more bytes than were pushed, and gets them in
parts: a reader that does not keep up is cut between two of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from stork_node.protocol.wamp_events import ALL_FRAMES, Content

PART_BYTES = 1 << 20
"""What is written to one connection before it is looked at again; or one event, where that has more."""

MOST_EVENTS = 100_000
"""Of one turn: each needs memory, however small it is."""

# What a frame has beside the content: ids, a topic.
_FRAME_BYTES = 100

# The router's own objects: hashable, and nothing else is known of them here.
Subscription = Any
Session = Any


class EventFrame:
    """
    One EVENT message, the same for all subscribers of one subscription.

    Args:
        number: its place in the turn.
        subscription: the subscription's id.
        topic: the topic where the subscription is a pattern, else None; the channel for Pusher clients.
    """

    __slots__ = ("content", "memo", "number", "publication", "subscription", "topic")

    def __init__(self, number: int, subscription: int, publication: int, topic: str | None, content: Content) -> None:
        self.number, self.subscription, self.publication = number, subscription, publication
        self.topic, self.content = topic, content
        self.memo: Any = None
        """For whoever writes it in another form: that form."""

    @property
    def size(self) -> int:
        """Bytes of its frame, roughly."""
        return self.content.size + _FRAME_BYTES


class SubscriberGroup:
    """What a group of connections gets in this turn, or a part of that: ``events``, in order."""

    __slots__ = ("_payloads", "events")

    def __init__(self, events: list[EventFrame]) -> None:
        self.events = events
        self._payloads: dict[str, bytes] = {}

    def payload(self, serializer: str) -> bytes:
        """
        All frames as one payload of bytes, made once; ``serializer`` is a key of ``ALL_FRAMES``.

        Raises:
            UnwritableEvent: the serializer cannot hold one of them.
        """
        payload = self._payloads.get(serializer)
        if payload is None:
            frame = ALL_FRAMES[serializer]
            payload = b"".join(
                [frame(event.subscription, event.publication, event.topic, event.content) for event in self.events]
            )
            self._payloads[serializer] = payload
        return payload

    def parts(self) -> "Iterator[SubscriberGroup]":
        """The same events, in parts of ``PART_BYTES`` at most, or of one event."""
        part: list[EventFrame] = []
        size = 0
        for event in self.events:
            size += event.size
            if part and size > PART_BYTES:
                yield SubscriberGroup(part)
                part, size = [], event.size
            part.append(event)
        yield SubscriberGroup(part)


class DeliveryBatch:
    """
    Collects events, then says who gets what.

    Args:
        observers: the sessions of a subscription.
    """

    def __init__(self, observers: Callable[[Subscription], Collection[Session]]) -> None:
        self._observers = observers
        self._events: dict[Subscription, list[EventFrame]] = {}
        self._excluded: dict[Session, set[int]] = {}
        self._number = 0
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is to be written before more is added."""
        return self._number >= MOST_EVENTS

    @property
    def is_small(self) -> bool:
        """Whether nobody can get more than one part."""
        return self._bytes + _FRAME_BYTES * self._number <= PART_BYTES

    def add(
        self,
        subscription: Subscription,
        subscription_id: int,
        publication: int,
        topic: str | None,
        content: Content,
        exclude: Iterable[Session] = (),
    ) -> None:
        """The next event, for all observers of ``subscription`` but those in ``exclude``."""
        event = EventFrame(self._number, subscription_id, publication, topic, content)
        events = self._events.get(subscription)
        if events is None:
            self._events[subscription] = [event]
        else:
            events.append(event)
        for session in exclude:
            self._excluded.setdefault(session, set()).add(self._number)
        self._number += 1
        self._bytes += content.size

    def groups(self) -> Iterator[tuple[SubscriberGroup, list[Session]]]:
        """Each session that gets anything, once, with its group: made one after the other, as each may be large."""
        for subscriptions, sessions in self._groups():
            events = self._merge(subscriptions)
            alone = [session for session in sessions if session in self._excluded] if self._excluded else []
            for session in alone:
                left = [event for event in events if event.number not in self._excluded[session]]
                if left:
                    yield SubscriberGroup(left), [session]
            together = [session for session in sessions if session not in self._excluded] if alone else sessions
            if together:
                yield SubscriberGroup(events), together

    def _merge(self, subscriptions: tuple[Subscription, ...]) -> list[EventFrame]:
        if len(subscriptions) == 1:
            return self._events[subscriptions[0]]
        merged = [event for subscription in subscriptions for event in self._events[subscription]]
        merged.sort(key=lambda event: event.number)
        return merged

    def _groups(self) -> list[tuple[tuple[Subscription, ...], list[Session]]]:
        """The sessions by which of the turn's subscriptions they have."""
        if len(self._events) == 1:
            [subscription] = self._events
            return [((subscription,), list(self._observers(subscription)))]
        root = _Group(None, None)
        groups: list[_Group] = []
        at: dict[Session, _Group] = {}
        for subscription in self._events:
            for session in self._observers(subscription):
                group = at.get(session, root)
                further = group.further.get(subscription)
                if further is None:
                    further = group.further[subscription] = _Group(group, subscription)
                    groups.append(further)
                at[session] = further
        for session, group in at.items():
            group.sessions.append(session)
        return [(group.subscriptions(), group.sessions) for group in groups if group.sessions]


class _Group:
    """The sessions with exactly these of the turn's subscriptions; ``further``: those with one more."""

    __slots__ = ("_fewer", "_last", "further", "sessions")

    def __init__(self, fewer: "_Group | None", last: Subscription) -> None:
        self._fewer, self._last = fewer, last
        self.sessions: list[Session] = []
        self.further: dict[Subscription, _Group] = {}

    def subscriptions(self) -> tuple[Subscription, ...]:
        """In the order of the turn."""
        found: list[Subscription] = []
        group = self
        while group._fewer is not None:
            found.append(group._last)
            group = group._fewer
        return tuple(reversed(found))
