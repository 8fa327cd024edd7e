"""
A subscriber without socket, clock or task: it takes input, and says what to write, which handlers to call, and when to
wake it.

The shell reports events (``begin``, ``connected``, ``received``, ``end``, ``wake``) with the time in seconds of a clock
that never goes back. After each it writes ``outbox`` and does ``effects``, in order.
"""

import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.effects import Deliver, Effect, Recovered, StateChanged, SubscriptionChanged
from stork_node.clients.subscribing.endings import Ending, retry_delay_s, subscription_ending
from stork_node.clients.subscribing.session import NotWamp, Result, WampError, WampSession
from stork_node.clients.subscribing.stream import Event
from stork_node.clients.subscribing.subscription import Subscription
from stork_node.protocol.uris import BEAT, RECOVER

STABLE_S = 10.0  # after this time open, the next delay is short again
JOIN_S = 30.0  # from the request for a ticket to WELCOME; the node itself gives up after 15 s
RECOVER_S = 30.0  # the node answers within 3 s
RECOVER_TOPICS = 1_000  # as many as a node answers at once; a pattern may have more
PROBE_AFTER_S = 30.0
SILENT_S = 60.0


@dataclass
class _Link:
    """One try, and its connection."""

    since: float
    heard: float
    session: WampSession | None = None
    probed: bool = False
    wire: dict[int, tuple[str, str]] = field(default_factory=dict)
    beat_asked: bool = False
    beat_id: int = 0
    recovers: bool = True


class SubscriberProtocol:
    """
    Args:
        realm: of the router.
        renewable: whether a new ticket can replace an expired one.
        chance: a number from 0 to below 1, for jitter.

    Attributes:
        state: ``waiting``, ``connecting``, ``open`` or ``closed`` (final).
        ending: the reason of the last end of a connection or try; None before.
        outbox: messages to write, in order, on the present connection.
        effects: calls to make to the application, in order.
    """

    def __init__(self, realm: str, *, renewable: bool, chance: Callable[[], float] = random.random) -> None:
        self._realm, self._renewable, self._chance = realm, renewable, chance
        self.state, self.ending = "waiting", Ending("", True)
        self.subscriptions: list[Subscription] = []
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
        self._set("connecting")

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
        if self.state == "closed":
            return
        link, was_open = self._link, self.state == "open"
        self._link, self.ending = None, ending
        self.outbox.clear()
        if not ending.again or (ending.reason == "expired" and not self._renewable):
            for subscription in self.subscriptions[:]:
                self._drop(subscription, "closed", ending)
            self._set("closed", ending)
            return
        if was_open and link and now - link.since >= STABLE_S:
            self._attempt = 0
        delay_s = retry_delay_s(self._attempt, self._chance())
        self._attempt += 1
        self._retry_at = now + delay_s
        self._set("waiting", ending, delay_s)
        for subscription in self.subscriptions:
            subscription.timer, subscription.wire_id, subscription.attempt = None, None, 0
            if subscription.state != "waiting":
                self._change(subscription, "waiting", Ending("lost", True))

    def wake(self, now: float) -> None:
        """Time has passed: do all that is due."""
        link = self._link
        if link is None:
            return
        if self.state != "open":
            if now >= link.since + JOIN_S:
                self.end(Ending("silent", True, "", f"no session within {JOIN_S:g} s"), now)
            return
        if now >= link.heard + SILENT_S:
            self.end(Ending("silent", True, "", f"no frame for {SILENT_S:g} s"), now)
            return
        if now >= link.heard + PROBE_AFTER_S and not link.probed:
            link.probed = True
            self._session().probe()
        for subscription in self.subscriptions[:]:
            if self._link is link and subscription.timer and now >= subscription.timer[0]:
                _, run = subscription.timer
                subscription.timer = None
                run(now)

    def wake_at(self) -> float:
        """The time for the next ``wake`` (or ``begin``, in the state ``waiting``), if no frame comes before."""
        link = self._link
        if link is None:
            return self._retry_at
        if self.state != "open":
            return link.since + JOIN_S
        times = [subscription.timer[0] for subscription in self.subscriptions if subscription.timer]
        return min([link.heard + (SILENT_S if link.probed else PROBE_AFTER_S), *times])

    # -- what the application says

    def subscribe(self, subscription: Subscription) -> None:
        if self.state == "closed":
            self._change(subscription, "closed", self.ending)
            return
        self.subscriptions.append(subscription)
        if self.state == "open":
            self._subscribe(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self.subscriptions:
            self._drop(subscription, "closed")
            self._sweep()

    def hurry(self, now: float) -> None:
        """In the state ``waiting``: the next try is due now."""
        if self.state == "waiting":
            self._retry_at = now

    def close(self, now: float) -> None:
        """Give up for good."""
        session = self._session() if self.state == "open" else None
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
        self._there().since = now
        self._set("open")
        for subscription in self.subscriptions[:]:
            self._subscribe(subscription)

    def ended(self, ending: Ending, now: float) -> None:
        self.end(ending, now)

    def event(self, wire_id: int, value: Any, position: Any, topic: str | None) -> None:
        if wire_id == self._there().beat_id:
            # Only events of this connection have come before the position event.
            for subscription in self.subscriptions:
                if subscription.state == "subscribed":
                    for stream in subscription.streams.values():
                        stream.beat(position)
            return
        for subscription in self.subscriptions:
            if subscription.wire_id == wire_id:
                name = subscription.topic if subscription.match == "exact" else str(topic)
                self._hand(subscription, subscription.stream(name).take(Event.of(name, value, position)))

    def revoked(self, wire_id: int, uri: str) -> None:
        self._there().wire.pop(wire_id, None)
        for subscription in self.subscriptions[:]:
            if subscription.wire_id == wire_id:
                self._drop(subscription, "refused", Ending("revoked", False, uri))

    # -- subscriptions on the wire

    def _subscribe(self, subscription: Subscription) -> None:
        link, topic, match = self._there(), subscription.topic, subscription.match
        self._change(subscription, "subscribing")

        def done(wire_id: Any, now: float) -> None:
            link.wire.setdefault(wire_id, (topic, match))
            if subscription.state == "subscribing":
                subscription.wire_id, subscription.attempt = wire_id, 0
                positions = {name: stream.hold() for name, stream in subscription.streams.items()}
                self._change(subscription, "subscribed")
                self._recover(subscription, positions, 0, now)
            self._sweep()

        def failed(error: WampError, now: float) -> None:
            if subscription.state == "subscribing":
                self._refused(subscription, subscription_ending(error.uri, error.text), now)
            self._sweep()

        self._session().subscribe(topic, match, done, failed)

    def _refused(self, subscription: Subscription, ending: Ending, now: float) -> None:
        if not ending.again:
            self._drop(subscription, "refused", ending)
            return
        delay_s = retry_delay_s(subscription.attempt, self._chance())
        subscription.attempt += 1
        subscription.timer = (now + delay_s, lambda _: self._subscribe(subscription))
        self._change(subscription, "waiting", ending)

    def _drop(self, subscription: Subscription, state: str, ending: Ending | None = None) -> None:
        self.subscriptions.remove(subscription)
        subscription.timer = subscription.wire_id = None
        self._change(subscription, state, ending)

    def _sweep(self) -> None:
        # Handlers of one topic share one subscription on the wire, which goes with the last of them. A subscription
        # with an open SUBSCRIBE counts, because the router may have answered it with the same id.
        link = self._link
        used = {(s.topic, s.match) for s in self.subscriptions if s.state in ("subscribing", "subscribed")}
        for wire_id, name in list(link.wire.items()) if link else []:
            if link and name not in used:
                del link.wire[wire_id]
                self._session().unsubscribe(wire_id)

    # -- recovery

    def _recover(self, subscription: Subscription, positions: dict[str, str | None], attempt: int, now: float) -> None:
        link = self._there()
        if not positions:
            self._ask_for_beats()  # for the topics of a pattern, once it has some
            return
        if not link.recovers:
            for topic in positions:
                self._resume(subscription, topic, None)
            return

        asked = dict(itertools.islice(positions.items(), RECOVER_TOPICS))
        rest = dict(itertools.islice(positions.items(), RECOVER_TOPICS, None))

        def current() -> bool:
            return self._link is link and subscription.state == "subscribed"

        def done(result: Result, now: float) -> None:
            if not current():
                return
            subscription.timer = None
            self._ask_for_beats()
            answers = _mapping(result.args[0] if result.args else None) or {}
            more = [topic for topic in asked if self._resume(subscription, topic, _mapping(answers.get(topic)))]
            left = {topic: subscription.stream(topic).position for topic in more}
            self._recover(subscription, left | rest, 0, now)

        def failed(error: WampError, now: float) -> None:
            if not current():
                return
            subscription.timer = None
            if error.uri in ("wamp.error.no_such_procedure", "wamp.error.not_authorized"):
                link.recovers = False
                self._recover(subscription, positions, 0, now)
            elif error.uri == "wamp.error.invalid_argument":
                # The next request would have the same answer, such as an event beyond the node's max_message_size.
                done(Result([], {}), now)
            else:  # io.virge.stork.not_ready, and other passing errors
                again_at = now + retry_delay_s(attempt, self._chance())
                subscription.timer = (again_at, lambda now: self._recover(subscription, positions, attempt + 1, now))

        # Events are held back meanwhile, so there is a time limit.
        silent = Ending("silent", True, "", f"{RECOVER} did not answer within {RECOVER_S:g} s")
        subscription.timer = (now + RECOVER_S, lambda now: self.end(silent, now))
        self._session().call(RECOVER, [asked], {}, done, failed)

    def _resume(self, subscription: Subscription, topic: str, answer: Mapping[str, Any] | None) -> bool:
        answered = subscription.stream(topic).answer(answer)
        if answered.recovered is False:  # first the report, then the events after the gap
            self.effects.append(Recovered(subscription, topic, False, answered.position))
        self._hand(subscription, answered.events)
        if answered.recovered is True:
            self.effects.append(Recovered(subscription, topic, True, answered.position))
        return answered.more

    def _ask_for_beats(self) -> None:
        # A node that answers recover also sends position events.
        link = self._there()
        if not link.beat_asked:
            link.beat_asked = True

            def done(wire_id: Any, _: float) -> None:
                link.beat_id = wire_id

            self._session().subscribe(BEAT, "exact", done)

    # -- effects

    def _hand(self, subscription: Subscription, events: list[Event]) -> None:
        self.effects.extend(Deliver(subscription, event) for event in events)

    def _change(self, subscription: Subscription, state: str, ending: Ending | None = None) -> None:
        subscription.state, subscription.reason = state, ending.reason if ending else ""
        self.effects.append(SubscriptionChanged(subscription, state, ending))

    def _set(self, state: str, ending: Ending | None = None, delay_s: float = 0.0) -> None:
        self.state = state
        self.effects.append(StateChanged(state, ending, delay_s))


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None
