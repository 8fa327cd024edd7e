"""Tells presence of subscriptions to topics that begin and end."""

from typing import Any

from stork_crossbar.internals.broadcasting import authid, is_visitor, session_id
from stork_node.presence.subscribers import PresenceSubscribers
from stork_node.process_state import singleton


def subscribed(session: Any, topic: str) -> None:
    """A session has subscribed to a topic."""
    subscribers = singleton(PresenceSubscribers)
    if subscribers.has_presence(topic) and is_visitor(session):
        subscribers.subscribed(session_id(session) or 0, authid(session), topic)


def unsubscribed(session: Any, topic: str) -> None:
    """A session is subscribed no more; it may have left. ``StorkSession`` knows whether it comes back."""
    singleton(PresenceSubscribers).unsubscribed(authid(session), topic, getattr(session, "has_left", False))
