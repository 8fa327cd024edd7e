"""
A subscriber without socket, clock or task: it takes input, and says what to write, which handlers to call, and when to
wake it.

The shell reports events (``begin``, ``connected``, ``received``, ``end``, ``wake``) with the time in seconds of a clock
that never goes back. After each it writes ``outbox`` and does ``effects``, in order.
"""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.effects import Deliver, Effect, Recovered, StateChanged, SubscriptionChanged, Tell
from stork_node.clients.subscribing.endings import Ending, retry_delay_s, subscription_ending
from stork_node.clients.subscribing.recovering import RECOVER_S, PageSize, Recovering
from stork_node.clients.subscribing.session import NotWamp, Result, WampError, WampSession
from stork_node.clients.subscribing.states import (
    SUBSCRIBER_MOVES,
    SUBSCRIPTION_MOVES,
    SubscriberState,
    SubscriptionState,
    move,
)
from stork_node.clients.subscribing.stream import Event
from stork_node.clients.subscribing.subscription import Subscription
from stork_node.protocol.uris import BEAT, RECOVER

STABLE_S = 10.0  # after this time open, the next delay is short again
JOIN_S = 30.0  # from the request for a ticket to WELCOME; the node itself gives up after 15 s
PROBE_AFTER_S = 30.0
SILENT_S = 60.0


_EARLIER_SESSIONS = 100  # maximum of earlier session ids that a node gets

_Wish = tuple[str, str]  # topic and match: subscriptions with one wish share one on the wire
_Timer = tuple[float, Callable[[float], None]]


@dataclass
class _Link:
    """One try, and its connection."""

    since: float
    heard: float
    session: WampSession | None = None
    probed: bool = False
    wire: dict[int, _Wish] = field(default_factory=dict)
    ids: dict[_Wish, int] = field(default_factory=dict)
    beat_asked: bool = False
    beat_id: int = 0
    recovering: Recovering | None = None
    timers: dict[object, _Timer] = field(default_factory=dict)


class SubscriberProtocol:
    """
    Args:
        realm: of the router.
        renewable: whether a new ticket can replace an expired one.
        chance: a number from 0 to below 1, for jitter.

    Attributes:
        state: see ``SubscriberState``.
        ending: the reason of the last end of a connection or try; None before.
        outbox: messages to write, in order, on the present connection.
        effects: calls to make to the application, in order.
    """

    def __init__(self, realm: str, *, renewable: bool, chance: Callable[[], float] = random.random) -> None:
        self._realm, self._renewable, self._chance = realm, renewable, chance
        self.state, self.ending = SubscriberState.WAITING, Ending("", True)
        self.subscriptions: dict[Subscription, None] = {}
        self._by_wish: defaultdict[_Wish, dict[Subscription, None]] = defaultdict(dict)
        self._page_size = PageSize()
        self._earlier_sessions: deque[int] = deque(maxlen=_EARLIER_SESSIONS)
        self.outbox: deque[list[Any]] = deque()
        self.effects: deque[Effect] = deque()
        self._link: _Link | None = None
        self._attempt = 0
        self._retry_at = 0.0

    @property
    def session_id(self) -> int:
        """The session's id in WAMP; 0 without a session."""
        return self._link.session.id if self._link and self._link.session else 0

    @property
    def identity(self) -> tuple[str, str]:
        """The session's authid and authrole; empty without a session."""
        session = self._link.session if self._link else None
        return (session.authid, session.authrole) if session else ("", "")

    # -- what the shell says

    def begin(self, now: float) -> None:
        """A try begins."""
        self.outbox.clear()
        self._link = _Link(now, now)
        self._set(SubscriberState.CONNECTING)

    def connected(self, credentials: Credentials) -> None:
        """The connection is there: send HELLO."""
        self._there().session = WampSession(self._realm, credentials, self.outbox.append, self)

    def received(self, text: str | bytes, now: float) -> None:
        """Take a frame. A frame that no WAMP router sends ends the connection: it may hide lost events."""
        link = self._link
        if link is None or link.session is None:  # closed meanwhile
            return
        link.heard, link.probed = now, False
        try:
            link.session.receive(text, now)
        except NotWamp as error:
            self.end(Ending("garbage", True, "", str(error)), now)

    def end(self, ending: Ending, now: float) -> None:
        """A try or a connection has ended: come back after a jittered delay, or stay closed."""
        if self.state == SubscriberState.CLOSED:
            return
        link, was_open = self._link, self.state == SubscriberState.OPEN
        self._link, self.ending = None, ending
        self.outbox.clear()
        if not ending.again or (ending.reason == "expired" and not self._renewable):
            for subscription in list(self.subscriptions):
                self._drop(subscription, SubscriptionState.CLOSED, ending)
            self._set(SubscriberState.CLOSED, ending)
            return
        if was_open and link and now - link.since >= STABLE_S:
            self._attempt = 0
        delay_s = retry_delay_s(self._attempt, self._chance())
        self._attempt += 1
        self._retry_at = now + delay_s
        self._set(SubscriberState.WAITING, ending, delay_s)
        for subscription in self.subscriptions:
            subscription.timer, subscription.wire_id, subscription.attempt = None, None, 0
            if subscription.state != SubscriptionState.WAITING:
                self._change(subscription, SubscriptionState.WAITING, Ending("lost", True))

    def wake(self, now: float) -> None:
        """Time has passed: do all that is due."""
        link = self._link
        if link is None:
            return
        if self.state != SubscriberState.OPEN:
            if now >= link.since + JOIN_S:
                self.end(Ending("silent", True, "", f"no session within {JOIN_S:g} s"), now)
            return
        if now >= link.heard + SILENT_S:
            self.end(Ending("silent", True, "", f"no frame for {SILENT_S:g} s"), now)
            return
        if now >= link.heard + PROBE_AFTER_S and not link.probed:
            link.probed = True
            self._session().probe()
        for key, (at, run) in list(link.timers.items()):
            if self._link is link and now >= at and key in link.timers:
                del link.timers[key]
                run(now)
        for subscription in list(self.subscriptions):
            if self._link is link and subscription.timer and now >= subscription.timer[0]:
                _, run = subscription.timer
                subscription.timer = None
                run(now)

    def wake_at(self) -> float:
        """The time for the next ``wake`` (or ``begin``, in the state ``waiting``), if no frame comes before."""
        link = self._link
        if link is None:
            return self._retry_at
        if self.state != SubscriberState.OPEN:
            return link.since + JOIN_S
        times = [subscription.timer[0] for subscription in self.subscriptions if subscription.timer]
        times += [at for at, _ in link.timers.values()]
        return min([link.heard + (SILENT_S if link.probed else PROBE_AFTER_S), *times])

    # -- what the application says

    def subscribe(self, subscription: Subscription) -> None:
        if self.state == SubscriberState.CLOSED:
            self._change(subscription, SubscriptionState.CLOSED, self.ending)
            return
        self.subscriptions[subscription] = None
        self._by_wish[_wish(subscription)][subscription] = None
        if self.state == SubscriberState.OPEN:
            self._subscribe(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self.subscriptions:
            self._drop(subscription, SubscriptionState.CLOSED)
            self._sweep(_wish(subscription))

    def hurry(self, now: float) -> None:
        """In the state ``waiting``: the next try is due now."""
        if self.state == SubscriberState.WAITING:
            self._retry_at = now

    def close(self, now: float) -> None:
        """Give up for good."""
        session = self._session() if self.state == SubscriberState.OPEN else None
        self.end(Ending("closed", False), now)
        if session:
            session.leave()

    def _there(self) -> _Link:
        if self._link is None:
            raise RuntimeError("there is no connection")
        return self._link

    def _session(self) -> WampSession:
        session = self._there().session
        if session is None:
            raise RuntimeError("there is no session")
        return session

    # -- what the session says

    def welcomed(self, now: float) -> None:
        link = self._there()
        link.since = now
        link.recovering = Recovering(self, self._page_size, list(self._earlier_sessions))
        self._earlier_sessions.append(self.session_id)
        self._set(SubscriberState.OPEN)
        for subscription in list(self.subscriptions):
            self._subscribe(subscription)

    def ended(self, ending: Ending, now: float) -> None:
        self.end(ending, now)

    def event(self, wire_id: int, value: Any, position: Any, topic: str | None) -> None:
        if wire_id == self._there().beat_id:
            # Only events of this connection have come before the position event.
            for subscription in self.subscriptions:
                if subscription.state == SubscriptionState.SUBSCRIBED:
                    subscription.stream.beat(position)
            return
        for subscription in self._on_wire(wire_id):
            if subscription in self.subscriptions:
                name = subscription.topic if subscription.match == "exact" else str(topic)
                self._hand(subscription, subscription.stream.take(Event.of(name, value, position)))

    def revoked(self, wire_id: int, uri: str) -> None:
        for subscription in self._on_wire(wire_id):
            self._drop(subscription, SubscriptionState.REFUSED, Ending("revoked", False, uri))
        link = self._there()
        if wish := link.wire.pop(wire_id, None):
            link.ids.pop(wish, None)

    def _on_wire(self, wire_id: int) -> list[Subscription]:
        """The subscriptions that get the events of the router's subscription."""
        wish = self._there().wire.get(wire_id)
        found = self._by_wish.get(wish, {}) if wish else {}
        return [subscription for subscription in found if subscription.wire_id == wire_id]

    # -- subscriptions on the wire

    def _subscribe(self, subscription: Subscription) -> None:
        link, wish = self._there(), _wish(subscription)
        topic, match = wish
        self._change(subscription, SubscriptionState.SUBSCRIBING)

        def done(wire_id: Any, now: float) -> None:
            link.wire[wire_id], link.ids[wish] = wish, wire_id
            if subscription.state == SubscriptionState.SUBSCRIBING:
                subscription.wire_id, subscription.attempt = wire_id, 0
                subscription.stream.hold()
                self._change(subscription, SubscriptionState.SUBSCRIBED)
                self._recover(subscription, now)
            self._sweep(wish)

        def failed(error: WampError, now: float) -> None:
            if subscription.state == SubscriptionState.SUBSCRIBING:
                self._refused(subscription, subscription_ending(error.uri, error.text), now)
            self._sweep(wish)

        self._session().subscribe(topic, match, done, failed)

    def _refused(self, subscription: Subscription, ending: Ending, now: float) -> None:
        if not ending.again:
            self._drop(subscription, SubscriptionState.REFUSED, ending)
            return
        delay_s = retry_delay_s(subscription.attempt, self._chance())
        subscription.attempt += 1
        subscription.timer = (now + delay_s, lambda _: self._subscribe(subscription))
        self._change(subscription, SubscriptionState.WAITING, ending)

    def _drop(self, subscription: Subscription, state: SubscriptionState, ending: Ending | None = None) -> None:
        del self.subscriptions[subscription]
        wish = _wish(subscription)
        del self._by_wish[wish][subscription]
        if not self._by_wish[wish]:
            del self._by_wish[wish]
        subscription.timer = subscription.wire_id = None
        self._change(subscription, state, ending)

    def _sweep(self, wish: _Wish) -> None:
        # Handlers of one topic share one subscription on the wire, which goes with the last of them. A subscription
        # with an open SUBSCRIBE counts, because the router may have answered it with the same id.
        link = self._link
        if link is None or wish not in link.ids:
            return
        on_wire = (SubscriptionState.SUBSCRIBING, SubscriptionState.SUBSCRIBED)
        if not any(subscription.state in on_wire for subscription in self._by_wish.get(wish, ())):
            wire_id = link.ids.pop(wish)
            del link.wire[wire_id]
            self._session().unsubscribe(wire_id)

    # -- recovery

    def _recover(self, subscription: Subscription, now: float) -> None:
        recovering = self._there().recovering
        if recovering is not None:
            recovering.add(subscription, now)

    def recovers(self, subscription: Subscription) -> bool:
        """As ``recovering.Connection``."""
        return self._link is not None and subscription.state == SubscriptionState.SUBSCRIBED

    def recover(
        self,
        positions: dict[str, str | None],
        options: dict[str, Any],
        done: Callable[[Result, float], None],
        failed: Callable[[WampError, float], None],
    ) -> None:
        """As ``recovering.Connection``."""
        link = self._there()
        self._session().call(
            RECOVER,
            [positions],
            options,
            lambda result, now: done(result, now) if self._link is link else None,
            lambda error, now: failed(error, now) if self._link is link else None,
        )

    def later(self, at: float, run: Callable[[float], None]) -> Callable[[], None]:
        """As ``recovering.Connection``."""
        timers, key = self._there().timers, object()
        timers[key] = (at, run)

        def forget() -> None:
            timers.pop(key, None)

        return forget

    def retry_delay_s(self, attempt: int) -> float:
        """As ``recovering.Connection``."""
        return retry_delay_s(attempt, self._chance())

    def is_silent(self, now: float) -> None:
        """As ``recovering.Connection``."""
        self.end(Ending("silent", True, "", f"{RECOVER} did not answer within {RECOVER_S:g} s"), now)

    def resume(self, subscription: Subscription, answer: Mapping[str, Any] | None) -> bool:
        """As ``recovering.Connection``."""
        answered = subscription.stream.answer(answer)
        if answered.recovered is False:  # first the report, then the events after the gap
            self.effects.append(Recovered(subscription, subscription.topic, False, answered.position))
        self._hand(subscription, answered.events)
        if answered.recovered is True:
            self.effects.append(Recovered(subscription, subscription.topic, True, answered.position))
        return answered.more

    def answers_recover(self) -> None:
        """As ``recovering.Connection``."""
        self._ask_for_beats()

    def _ask_for_beats(self) -> None:
        # A node that answers recover also sends position events.
        link = self._there()
        if not link.beat_asked:
            link.beat_asked = True

            def done(wire_id: Any, _: float) -> None:
                link.beat_id = wire_id

            self._session().subscribe(BEAT, "exact", done)

    # -- presence

    def ask(
        self, uri: str, args: list[Any], done: Callable[[Result], None], failed: Callable[[], None], until: float
    ) -> None:
        """As ``presence.Connection``: call a procedure. A connection that ends, or is not there, says nothing."""
        session = self._link.session if self._link else None
        if session is None or self.state != SubscriberState.OPEN:
            return

        def give_up(_: float) -> None:
            session.forget(request)
            failed()

        forget = self.later(until, give_up)

        def answered(result: Result, _: float) -> None:
            forget()
            done(result)

        def refused(_error: WampError, _: float) -> None:
            forget()
            failed()

        request = session.call(uri, args, {}, answered, refused)

    def again(self, attempt: int, now: float, run: Callable[[], None]) -> None:
        """As ``presence.Connection``: after a growing pause, on this connection."""
        if self._link is not None:
            self.later(now + self.retry_delay_s(attempt), lambda _: run())

    def tell(self, effect: Tell) -> None:
        """As ``presence.Connection``."""
        self.effects.append(effect)

    # -- effects

    def _hand(self, subscription: Subscription, events: list[Event]) -> None:
        self.effects.extend(Deliver(subscription, event) for event in events)

    def _change(self, subscription: Subscription, state: SubscriptionState, ending: Ending | None = None) -> None:
        subscription.state = move(SUBSCRIPTION_MOVES, subscription.state, state)
        subscription.reason = ending.reason if ending else ""
        self.effects.append(SubscriptionChanged(subscription, state, ending))

    def _set(self, state: SubscriberState, ending: Ending | None = None, delay_s: float = 0.0) -> None:
        self.state = move(SUBSCRIBER_MOVES, self.state, state)
        self.effects.append(StateChanged(state, ending, delay_s))


def _wish(subscription: Subscription) -> _Wish:
    return subscription.topic, subscription.match
