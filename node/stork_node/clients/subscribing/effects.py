"""What a subscriber's shell is to do for the application."""

from dataclasses import dataclass

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
    """Tell the subscription what became of what was missed; where not ``ok``, before any event after ``position``."""

    subscription: Subscription
    topic: str
    ok: bool
    position: str | None


@dataclass(frozen=True)
class SubscriptionChanged:
    """A subscription has another ``state`` (see ``Subscription``); ``ending`` says why, where something went wrong."""

    subscription: Subscription
    state: SubscriptionState
    ending: Ending | None = None


@dataclass(frozen=True)
class StateChanged:
    """
    The subscriber has another ``state``.

    ``ending`` says why the connection or the try ended, ``delay_s`` how long (seconds) it waits before the next.
    """

    state: SubscriberState
    ending: Ending | None = None
    delay_s: float = 0.0


Effect = Deliver | Recovered | SubscriptionChanged | StateChanged
