"""The effects of a subscriber's protocol: calls that its shell makes to the application."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stork_node.clients.subscribing.endings import Ending
from stork_node.clients.subscribing.states import SubscriberState, SubscriptionState
from stork_node.clients.subscribing.stream import Event
from stork_node.clients.subscribing.subscription import Subscription


@dataclass(frozen=True)
class Deliver:
    """Deliver this event to the subscription's handler."""

    subscription: Subscription
    event: Event


@dataclass(frozen=True)
class Recovered:
    """
    Report the recovery of a topic. If not ``ok``, events are lost; this comes before any event after ``position``.
    """

    subscription: Subscription
    topic: str
    ok: bool
    position: str | None


@dataclass(frozen=True)
class SubscriptionChanged:
    """A subscription has another ``state`` (see ``Subscription``); after a problem, ``ending`` has the reason."""

    subscription: Subscription
    state: SubscriptionState
    ending: Ending | None = None


@dataclass(frozen=True)
class StateChanged:
    """
    The subscriber has another ``state``.

    ``ending`` has the reason why the connection or the try ended, ``delay_s`` the seconds until the next try.
    """

    state: SubscriberState
    ending: Ending | None = None
    delay_s: float = 0.0


@dataclass(frozen=True)
class Tell:
    """Call this handler with ``value``, unless the subscription has ended."""

    subscription: Subscription
    handler: Callable[[Any], Any]
    value: Any


Effect = Deliver | Recovered | SubscriptionChanged | StateChanged | Tell
