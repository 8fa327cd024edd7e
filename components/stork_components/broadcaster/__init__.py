"""
The broadcaster: writes pushes to the connections of this router process that are subscribed to their topics.

Crossbar's publish makes a message for each event and connection. Here all pushes of a turn become one payload of bytes
for all connections with the same subscriptions, which goes to each socket in one write.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from twisted.logger import Logger

from stork_components.broadcaster import fallback_publish
from stork_components.broadcaster.closing import Closing
from stork_components.broadcaster.receipts import Receipts
from stork_components.broadcaster.slow_readers import SlowReaders
from stork_components.broadcaster.writing import Writer
from stork_crossbar.component import end_worker
from stork_crossbar.internals import broadcasting
from stork_crossbar.internals.broadcasting import is_embedded, is_visitor
from stork_crossbar.internals.self_test import fault
from stork_crossbar.pusher.socket import PusherSocket
from stork_node.broadcast.backlog import ReaderLimits
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.broadcast.delivery_batch import DeliveryBatch
from stork_node.errors import UnwritableEvent
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.bus import PushFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.wamp_events import PUSHER, Content, ToldToChannel
from stork_node.pusher.channel_table import ChannelTable, Subscribers

_LOOK_EVERY_S = 1.0
_MAX_ID = 2**53
_CROSSBARS_TOPICS = ("wamp.", "crossbar.")


class Broadcaster:
    """
    Args:
        component: a session that is embedded in the router and has joined.
        limits: what may wait for one reader, before its connection is aborted.
        break_spread_s: the longest time in which a break closes its connections.
    """

    log = Logger()

    def __init__(
        self, component: Any, reactor: Any, *, limits: ReaderLimits | None = None, break_spread_s: float = 30.0
    ) -> None:
        self._component, self._reactor = component, reactor
        self.counters = BroadcastCounters()
        self.receipts = Receipts(self._waits_for, self._is_closing)
        self._channels = singleton(ChannelTable)
        self._fault = fault(component)
        if self._fault:
            self._channels.unserved = self._fault
            self.log.warn(
                "events go by Crossbar's publish, slowly and without bounds for slow readers: {fault}",
                fault=self._fault,
            )
            return
        self._router = broadcasting.Router(component)
        self._slow_readers = SlowReaders(reactor, limits or ReaderLimits(), self.counters)
        self._closing = Closing(reactor, break_spread_s)
        self._writer = Writer(component, reactor, self._router, self._slow_readers, self._closing, self.counters)
        self._look_later()

    @property
    def way(self) -> str:
        """``direct``, or ``public`` where events go by Crossbar's own publish."""
        return "public" if self._fault or self._router.wants_each_message else "direct"

    @property
    def is_blind(self) -> bool:
        """Whether the router's sessions cannot be read."""
        return bool(self._fault)

    def deliver(self, pushes: Sequence[PushFrame]) -> None:
        """Write all pushes of one turn, in order."""
        if self._fault or not any(push.receipt for push in pushes):
            self._deliver_turn(pushes)
            return
        expected = self.receipts.expect(pushes, self._receivers, self._receiver)
        self._deliver_turn(pushes)
        self.receipts.note(expected)

    def _receivers(self, topic: str) -> list[Any]:
        """All clients that are subscribed to a topic."""
        sessions = chain.from_iterable(subscription.observers for subscription in self._router.match(topic))
        channel = self._channels.match(topic)
        return [each for each in sessions if not is_embedded(each)] + list(channel.observers if channel else ())

    def _is_closing(self, session: Any) -> bool:
        return session in self._closing.sessions or broadcasting.transport(session) is None

    def _waits_for(self, session: Any) -> int:
        transport = broadcasting.transport(session)
        descriptor = broadcasting.descriptor(transport)
        return broadcasting.waiting_bytes(transport, descriptor) if descriptor else 0

    def _deliver_turn(self, pushes: Sequence[PushFrame]) -> None:
        self.counters.pushes += len(pushes)
        if self.way == "public":
            self.counters.public_pushes += len(pushes)
            ended = () if self._fault else self._closing.ids()
            for push in pushes:
                fallback_publish.publish(self._component, push, ended)
            if not self._fault and len(self._channels):
                self._deliver(pushes, lambda _topic: [])
            return
        matches: dict[str, list[Any]] = {}

        def match(topic: str) -> list[Any]:
            subscriptions = matches.get(topic)
            if subscriptions is None:
                subscriptions = matches[topic] = self._router.match(topic)
            return subscriptions

        self._deliver(pushes, match)

    def _deliver(self, pushes: Sequence[PushFrame], match: Callable[[str], list[Any]]) -> None:
        """Write to sessions of the subscriptions that ``match`` finds, and to all clients of channels."""
        delivery = DeliveryBatch(_observers)
        for push in pushes:
            content = Content(push.event, str(push.position))
            exclude = [receiver for each in push.exclude if (receiver := self._receiver(each))]
            for topic in push.topics:
                _add(delivery, match(topic), topic, content, exclude)
                if subscribers := self._channels.match(topic):
                    _add_channel(delivery, subscribers, content, exclude)
                if delivery.is_full:
                    self._writer.write(delivery)
                    delivery = DeliveryBatch(_observers)
        self._writer.write(delivery)

    def tell(self, topic: str, body: bytes, exclude: Iterable[Any]) -> None:
        """
        Write a frame that is no push to all clients of a channel, but to some.

        Args:
            body: as ``server_frames.event`` takes it.
        """
        subscribers = self._channels.match(topic)
        if subscribers is not None and not self._fault:
            delivery = DeliveryBatch(_observers)
            delivery.add(subscribers, 0, 0, subscribers.channel.name, ToldToChannel(body), exclude)
            self._writer.write(delivery)

    def _receiver(self, number: int) -> Any:
        """The session with this id, or the client of another protocol with this number; None if there is none."""
        return self._router.session(number) or self._channels.sockets.get(number)

    def beat(self, position: Position) -> None:
        """Tell all who listen the position up to which they have been sent everything."""
        content = Content(None, str(position))
        delivery = DeliveryBatch(_observers)
        if self.way == "public":
            self._component.publish(uris.BEAT, position=str(position))
        else:
            _add(delivery, self._router.match(uris.BEAT), uris.BEAT, content, ())
        if self._channels.followers.observers:
            delivery.add(self._channels.followers, 0, 0, None, content)
        if not self._fault:
            self._writer.write(delivery)

    def receives(self, session_id: int, topic: str, match: str | None = None) -> bool:
        """
        Whether the session is subscribed to the topic now, exactly or by a pattern, and gets its events. With
        ``match``: whether it is subscribed to just this pattern.

        Always False where the router's subscriptions cannot be read (see ``self_test``).
        """
        if self._fault:
            return False
        session = self._router.session(session_id)
        return (
            session is not None
            and session not in self._closing.sessions
            and any(
                session in subscription.observers
                for subscription in self._router.match(topic)
                if match is None or (subscription.match, subscription.uri) == (match, topic)
            )
        )

    def waiting_bytes(self, session_id: int) -> int:
        """What has been written to a session and has not been sent yet; 0 where the session is gone or embedded."""
        session = None if self._fault else self._router.session(session_id)
        return self._waits_for(session) if session else 0

    def slow_readers(self, most: int) -> list[tuple[Any, int, float]]:
        """The sessions with the most bytes waiting, with their numbers and ages (s)."""
        return [] if self._fault else self._slow_readers.waiting(most)

    def close_subscribers(self, code: int, reason: str) -> None:
        """
        Write no event to any session that has a subscription now, and close their connections, without GOODBYE.

        The connections are closed over ``break_spread_s`` at most; until then they are served, but get no event,
        whatever they subscribe to. Where the router's sessions cannot be read, this process ends: that closes them all.
        """
        if self._fault:
            end_worker(f"connections have to be closed ({reason}), and cannot be: {self._fault}")
        self._closing.close(
            [
                session
                for session, subscriptions in self._router.subscriptions()
                if any(_may_get_pushes(subscription.uri) for subscription in subscriptions)
            ]
            + list(self._channels.subscribed()),
            code,
            reason,
        )

    def visitors(self, authid: str | None = None, role: str | None = None, id: int | None = None) -> list[Any]:
        """
        The clients' sessions that are no backends', of this user, with this role, and with this id, if given.

        Where the router's sessions cannot be read, this process ends, which closes them all.
        """
        self._end_if_blind()
        return self._router.visitors(authid, role, id) + self._channels.clients(authid, role, id)

    def sessions(self) -> list[Any]:
        """All of ``visitors`` that are WAMP sessions."""
        self._end_if_blind()
        return self._router.visitors(None, None, None)

    def subscribers(self, topic: str) -> list[Any]:
        """
        Those of ``visitors`` that get the events of a topic. If it is the own topic of a Pusher user: just this user's
        connections.
        """
        self._end_if_blind()
        if (sockets := self._channels.of_user_topic(topic)) is not None:
            return sockets
        observers = (subscription.observers for subscription in self._router.match(topic))
        found = [session for session in dict.fromkeys(chain.from_iterable(observers)) if is_visitor(session)]
        subscribers = self._channels.match(topic)
        return [*found, *(subscribers.observers if subscribers else ())]

    def _end_if_blind(self) -> None:
        if self._fault:
            end_worker(f"a command cannot be obeyed: {self._fault}")

    def subscriptions_of(self, session: Any) -> list[Any]:
        """The subscriptions of one session of ``visitors``: each has ``uri`` and ``match``."""
        if isinstance(session, PusherSocket):
            return session.subscriptions()
        return self._router.subscriptions_of(session)

    def end_subscriptions(self, pairs: Sequence[tuple[Any, Any]], uri: str, reason: str) -> None:
        """
        End subscriptions of sessions now, and tell their clients over a second or two: WAMP clients get ``uri``, others
        ``reason``.
        """
        for session, subscription in pairs:
            if isinstance(session, PusherSocket):
                session.end_subscription(subscription)
            else:
                self._router.end_subscription(session, subscription)

        def tell(pair: tuple[Any, Any]) -> None:
            session, subscription = pair
            if isinstance(session, PusherSocket):
                session.tell_ended(subscription, reason)
            else:
                self._router.tell_ended(session, subscription, uri)

        self._closing.pace(pairs, tell)

    def end(self, sessions: Sequence[Any], end: Callable[[Any], None], *, is_break: bool = False) -> None:
        """
        Write no event to these sessions from now on, and call ``end`` for each, over a second or two.

        Args:
            is_break: it takes as long as ``close_subscribers``.
        """
        for session in sessions:
            if isinstance(session, PusherSocket):
                session.stop_listening()
        self._closing.end(sessions, end, is_break=is_break)

    def _look(self) -> None:
        self._look_later()
        self._slow_readers.look(chain(self._router.sessions(), self._channels.sockets.values()))
        self._closing.forget(self._is_attached)

    def _is_attached(self, session: Any) -> bool:
        return self._router.is_attached(session) or getattr(session, "is_open", False)

    def _look_later(self) -> None:
        self._reactor.callLater(_LOOK_EVERY_S, self._look)


def _observers(subscription: Any) -> Any:
    return subscription.observers


def _add(
    delivery: DeliveryBatch, subscriptions: list[Any], topic: str, content: Content, exclude: Sequence[Any]
) -> None:
    """One event for each subscription, all with one publication's id."""
    publication = random.randint(1, _MAX_ID)  # noqa: S311  # global scope in WAMP: random, and no secret
    for subscription in subscriptions:
        pattern = subscription.match != "exact"
        delivery.add(subscription, subscription.id, publication, topic if pattern else None, content, exclude)


def _add_channel(delivery: DeliveryBatch, subscribers: Subscribers, content: Content, exclude: Sequence[Any]) -> None:
    """One event for a channel of another protocol, unless it has no form there."""
    try:
        if not content.end(PUSHER):
            return
    except UnwritableEvent:
        pass  # whoever should get it is closed when it is written
    delivery.add(subscribers, 0, 0, subscribers.channel.name, content, exclude)


def _may_get_pushes(uri: str) -> bool:
    """Not so for the router's and the guard's own events: who follows those alone misses nothing."""
    return uri != uris.APP_GONE and not uri.startswith(_CROSSBARS_TOPICS)
