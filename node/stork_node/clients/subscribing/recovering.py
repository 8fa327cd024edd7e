"""Asks on one connection what was missed: topics of many subscriptions in few calls (docs/delivery.md#recovery)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stork_node.clients.subscribing.session import Result, WampError
from stork_node.clients.subscribing.subscription import Subscription

RECOVER_S = 30.0
"""A call that is not answered within this time ends the connection: events are held back meanwhile."""

_TOPICS = 1_000  # as many as a node answers at once
_CALLS = 4  # at the same time
_QUICK_S = 5.0  # an answer within this time may be larger the next time
_MIN_PAGE_BYTES, _FIRST_PAGE_BYTES, _MAX_PAGE_BYTES = 16 << 10, 256 << 10, 512 << 10


class PageSize:
    """How many bytes of events one answer may have: fewer where the line was too slow, through all connections."""

    def __init__(self) -> None:
        self.bytes = _FIRST_PAGE_BYTES

    def was_quick(self) -> None:
        self.bytes = min(2 * self.bytes, _MAX_PAGE_BYTES)

    def was_too_large(self) -> None:
        self.bytes = max(self.bytes // 4, _MIN_PAGE_BYTES)


@dataclass
class _Topic:
    """One topic or pattern of a call, with the subscriptions that stand at this position."""

    position: str | None
    match: str
    subscriptions: list[Subscription] = field(default_factory=list)


class Connection(Protocol):
    """What recovery needs of the connection on which it asks. Times are seconds of one steady clock."""

    def recovers(self, subscription: Subscription) -> bool:
        """Whether the connection is there, and the subscription is on it."""

    def recover(
        self,
        positions: dict[str, str | None],
        options: dict[str, Any],
        done: Callable[[Result, float], None],
        failed: Callable[[WampError, float], None],
    ) -> None:
        """Call ``recover``."""

    def resume(self, subscription: Subscription, answer: Mapping[str, Any] | None) -> bool:
        """Hand an answer on; returns whether more is to be asked for."""

    def later(self, at: float, run: Callable[[float], None]) -> Callable[[], None]:
        """Run it at this time, if the connection is there; returns what takes that back."""

    def retry_delay_s(self, attempt: int) -> float: ...

    def answers_recover(self) -> None:
        """The node answers: it has more to offer, too."""

    def is_silent(self, now: float) -> None:
        """No answer came in time."""


class Recovering:
    """
    Args:
        page_size: of this subscriber's.
        sessions: ids of its earlier sessions.
    """

    def __init__(self, connection: Connection, page_size: PageSize, sessions: list[int]) -> None:
        self._connection, self._page_size, self._sessions = connection, page_size, sessions
        self._waiting: list[Subscription] = []
        self._calls = 0
        self._is_plain = False  # a node of an earlier release takes the positions alone
        self._is_absent = False

    def add(self, subscription: Subscription, now: float) -> None:
        """Ask for a subscription, whose events are held back."""
        self._waiting.append(subscription)
        self._ask_next(now)

    def _ask_next(self, now: float) -> None:
        if self._is_absent:
            for subscription in self._take_waiting():
                self._connection.resume(subscription, None)
            return
        while self._calls < _CALLS and (asked := self._portion()):
            self._ask(asked, 0, now)

    def _take_waiting(self) -> list[Subscription]:
        waiting, self._waiting = self._waiting, []
        return [subscription for subscription in waiting if self._connection.recovers(subscription)]

    def _portion(self) -> dict[str, _Topic]:
        """The next topics and patterns. Two subscriptions to one may stand at different positions."""
        asked: dict[str, _Topic] = {}
        for subscription in self._take_waiting():
            topic, match, position = subscription.topic, subscription.match, subscription.stream.position
            found = asked.get(topic)
            if self._is_plain and match != "exact":
                self._connection.resume(subscription, None)  # it would take the pattern for a topic
            elif found is None and len(asked) < _TOPICS:
                asked[topic] = _Topic(position, match, [subscription])
            elif found is not None and (found.position, found.match) == (position, match):
                found.subscriptions.append(subscription)
            else:
                self._waiting.append(subscription)
        return asked

    def _ask(self, asked: dict[str, _Topic], attempt: int, now: float) -> None:
        began = now

        def done(result: Result, now: float) -> None:
            self._has_ended(forget)
            if now - began < _QUICK_S:
                self._page_size.was_quick()
            self._connection.answers_recover()
            self._take(asked, _mapping(result.args[0] if result.args else None) or {})
            self._ask_next(now)

        def failed(error: WampError, now: float) -> None:
            self._has_ended(forget)
            self._refused(error, asked, attempt, now)
            self._ask_next(now)

        def give_up(now: float) -> None:
            self._page_size.was_too_large()
            self._connection.is_silent(now)

        self._calls += 1
        forget = self._connection.later(now + RECOVER_S, give_up)
        positions = {topic: each.position for topic, each in asked.items()}
        self._connection.recover(positions, self._options(asked), done, failed)

    def _options(self, asked: Mapping[str, _Topic]) -> dict[str, Any]:
        if self._is_plain:
            return {}
        patterns = {topic: each.match for topic, each in asked.items() if each.match != "exact"}
        return (
            {"max_bytes": self._page_size.bytes}
            | ({"sessions": self._sessions} if self._sessions else {})
            | ({"patterns": patterns} if patterns else {})
        )

    def _has_ended(self, forget: Callable[[], None]) -> None:
        forget()
        self._calls -= 1

    def _refused(self, error: WampError, asked: dict[str, _Topic], attempt: int, now: float) -> None:
        if error.uri in ("wamp.error.no_such_procedure", "wamp.error.not_authorized"):
            self._is_absent = True
            self._take(asked, {})
        elif error.uri == "wamp.error.invalid_argument" and not self._is_plain:
            self._is_plain = True
            self._waiting += [subscription for each in asked.values() for subscription in each.subscriptions]
        elif error.uri == "wamp.error.invalid_argument":
            # The same question has the same answer: an event beyond the node's max_message_size, say.
            self._connection.answers_recover()
            self._take(asked, {})
        else:  # io.virge.stork.not_ready, and what else may pass
            at = now + self._connection.retry_delay_s(attempt)
            self._connection.later(at, lambda now: self._ask(asked, attempt + 1, now))

    def _take(self, asked: dict[str, _Topic], answers: Mapping[str, Any]) -> None:
        has_events = any(_has_events(answers.get(topic)) for topic in asked)
        for topic, each in asked.items():
            answer = _mapping(answers.get(topic))
            # The bytes of one answer are for all its topics: one that got none of them is asked for again.
            got_nothing = has_events and answer is not None and bool(answer.get("more")) and not _has_events(answer)
            for subscription in each.subscriptions:
                if self._connection.recovers(subscription) and (
                    got_nothing or self._connection.resume(subscription, answer)
                ):
                    self._waiting.append(subscription)


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


def _has_events(answer: Any) -> bool:
    return isinstance(answer, dict) and bool(answer.get("events"))
