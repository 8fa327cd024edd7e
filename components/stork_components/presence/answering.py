"""Answers ``io.virge.stork.online``: who is online in a topic."""

from collections.abc import Mapping
from typing import Any

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallDetails

from stork_components.presence import Presence
from stork_crossbar import registry
from stork_crossbar.limits.insiders import INSIDERS
from stork_crossbar.roles import DirectGuard
from stork_node.errors import CallError, InvalidTopic
from stork_node.presence.events import online_answer
from stork_node.presence.subscribers import PresenceSubscribers
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.positions import Position
from stork_node.protocol.topics import Topic


def read_question(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, bool]:
    """
    Read the arguments of a call: the topic, and whether to name the users.

    Raises:
        CallError: ``wamp.error.invalid_argument``.
    """
    users = kwargs.get("users", True)
    if len(args) != 1 or set(kwargs) - {"users"} or not isinstance(users, bool) or not isinstance(args[0], str):
        raise CallError("wamp.error.invalid_argument", "one argument is wanted, a topic, and users=False for the count")
    check_topic(args[0])
    return args[0], users


def check_topic(topic: str) -> None:
    """
    Raises:
        CallError: no topic, or one of a feed without presence.
    """
    try:
        Topic.parse(topic)
    except InvalidTopic as error:
        raise CallError("wamp.error.invalid_argument", str(error)) from None
    if not singleton(PresenceSubscribers).has_presence(topic):
        raise CallError(uris.NO_PRESENCE, f"the feed of {topic} has no presence")


async def check_permission(details: CallDetails, topic: str) -> None:
    """
    Whoever may subscribe to the topic of its changes may see who is online there. Backends may see it everywhere.

    Raises:
        ApplicationError: not so; or the application has not decided.
    """
    if details.caller_authrole in INSIDERS:
        return
    guard = registry.find(DirectGuard)
    session = {"session": details.caller, "authid": details.caller_authid, "authrole": details.caller_authrole}
    answer = await guard.authorize(session, uris.PRESENCE + topic, "subscribe", {}) if guard else {"allow": False}
    if not answer["allow"]:
        raise ApplicationError(ApplicationError.NOT_AUTHORIZED, f"{topic} is not for this session")


def answer(presence: Presence, topic: str, has_users: bool, here: Position | None, now: float) -> dict[str, Any]:
    """
    ``{"users": [{"authid", "info", "since"}], "count", "position"}``.

    Raises:
        CallError: this node cannot say it now.
    """
    at = presence.here.position(here)
    if at is None or not presence.here.is_ready(now):
        raise CallError(uris.NOT_READY, "this node does not know who is online yet, try again")
    return online_answer(presence.users(topic), at, has_users)
