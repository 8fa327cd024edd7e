"""
The states of a subscriber and of each subscription, and which one may follow which.

They are text, too: an application may write ``subscriber.state == "open"``.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class SubscriberState(StrEnum):
    WAITING = "waiting"
    """For the next try."""
    CONNECTING = "connecting"
    """Up to the router's WELCOME."""
    OPEN = "open"
    CLOSED = "closed"
    """For good."""


class SubscriptionState(StrEnum):
    WAITING = "waiting"
    """For a connection, or for the next try."""
    SUBSCRIBING = "subscribing"
    SUBSCRIBED = "subscribed"
    REFUSED = "refused"
    """For good."""
    CLOSED = "closed"
    """For good: by the application, or with its subscriber."""


State = TypeVar("State", SubscriberState, SubscriptionState)

SUBSCRIBER_MOVES: Mapping[SubscriberState, frozenset[SubscriberState]] = {
    SubscriberState.WAITING: frozenset({SubscriberState.CONNECTING, SubscriberState.CLOSED}),
    SubscriberState.CONNECTING: frozenset(
        {SubscriberState.OPEN, SubscriberState.WAITING, SubscriberState.CLOSED},
    ),
    SubscriberState.OPEN: frozenset({SubscriberState.WAITING, SubscriberState.CLOSED}),
    SubscriberState.CLOSED: frozenset(),
}

SUBSCRIPTION_MOVES: Mapping[SubscriptionState, frozenset[SubscriptionState]] = {
    SubscriptionState.WAITING: frozenset({SubscriptionState.SUBSCRIBING, SubscriptionState.CLOSED}),
    SubscriptionState.SUBSCRIBING: frozenset(
        {
            SubscriptionState.SUBSCRIBED,
            SubscriptionState.WAITING,
            SubscriptionState.REFUSED,
            SubscriptionState.CLOSED,
        }
    ),
    SubscriptionState.SUBSCRIBED: frozenset(
        {SubscriptionState.WAITING, SubscriptionState.REFUSED, SubscriptionState.CLOSED}
    ),
    SubscriptionState.REFUSED: frozenset(),
    SubscriptionState.CLOSED: frozenset(),
}


def move(moves: Mapping[State, frozenset[State]], state: State, to: State) -> State:
    """
    Returns:
        ``to``.

    Raises:
        RuntimeError: it cannot follow ``state``. Only a fault of this package does that.
    """
    if to not in moves[state]:
        raise RuntimeError(f"{to} cannot follow {state}")
    return to
