"""
Stork node: a push gateway.

An application (``.crossbar/app.py``) declares its rules with a ``Stork``. A web application pushes with a
``Publisher``, calls procedures with a ``Caller``, or follows topics with a ``Subscriber``. Importing this package loads
neither Twisted nor Crossbar, and most names, with pyzmq or websockets, only at their first use.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from stork_node.errors import (
    CallError,
    ConfigError,
    DeclarationError,
    InvalidCommand,
    InvalidPush,
    InvalidTopic,
    NotConfirmed,
    PushFailed,
    PushRefused,
    StorkError,
    SubscriberEnded,
    SubscriptionRefused,
)
from stork_node.protocol.topics import Topic, feed_id

if TYPE_CHECKING:
    from stork_node.application.auth_request import AuthRequest
    from stork_node.application.feeds import Feed
    from stork_node.application.pushers import NotRunning
    from stork_node.application.stork import Stork
    from stork_node.application.values import Call, ClientSession, Deny, Principal
    from stork_node.clients.async_publisher import AsyncPublisher
    from stork_node.clients.caller import Caller
    from stork_node.clients.publisher import Publisher
    from stork_node.clients.subscriber import Subscriber
    from stork_node.clients.subscribing.stream import Event
    from stork_node.webhooks.signatures import verify_webhook

__all__ = [
    "AsyncPublisher",
    "AuthRequest",
    "Call",
    "CallError",
    "Caller",
    "ClientSession",
    "ConfigError",
    "DeclarationError",
    "Deny",
    "Event",
    "Feed",
    "InvalidCommand",
    "InvalidPush",
    "InvalidTopic",
    "NotConfirmed",
    "NotRunning",
    "Principal",
    "Publisher",
    "PushFailed",
    "PushRefused",
    "Stork",
    "StorkError",
    "Subscriber",
    "SubscriberEnded",
    "SubscriptionRefused",
    "Topic",
    "feed_id",
    "verify_webhook",
]


_ON_DEMAND = {
    "AsyncPublisher": "stork_node.clients.async_publisher",
    "AuthRequest": "stork_node.application.auth_request",
    "Call": "stork_node.application.values",
    "Caller": "stork_node.clients.caller",
    "ClientSession": "stork_node.application.values",
    "Deny": "stork_node.application.values",
    "Event": "stork_node.clients.subscribing.stream",
    "Feed": "stork_node.application.feeds",
    "NotRunning": "stork_node.application.pushers",
    "Principal": "stork_node.application.values",
    "Publisher": "stork_node.clients.publisher",
    "Stork": "stork_node.application.stork",
    "Subscriber": "stork_node.clients.subscriber",
    "verify_webhook": "stork_node.webhooks.signatures",
}


_FORMER_NAMES = {"Session": "ClientSession"}


def __getattr__(name: str) -> Any:
    if name in _FORMER_NAMES:
        new_name = _FORMER_NAMES[name]
        warnings.warn(f"stork_node.{name} is stork_node.{new_name} now", DeprecationWarning, stacklevel=2)
        name = new_name
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name]), name)
