"""
What the guard decides before it asks anybody, and what it tells whom it asks. No I/O.

Two call it: the guard of a node (``stork_components.guard``), and ``AppTester``, which answers as a node would.
"""

import hashlib
import json
from collections.abc import Hashable, Mapping
from typing import Any

from stork_node.application.permission import Permission
from stork_node.application.values import ClientSession, Deny, peer_host
from stork_node.errors import InvalidTopic
from stork_node.protocol import uris
from stork_node.protocol.topics import Match, Topic

NOT_AUTHORIZED = "wamp.error.not_authorized"

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


def refuse_ticket(authid: str | None, details: Mapping[str, Any]) -> Deny | None:
    """
    Refuse a ticket unasked: none of those that the application can be asked about.

    Lone surrogates have no UTF-8, and CBOR clients may send keys that are no text: Crossbar drops what it cannot
    serialize, and nobody would answer.
    """
    try:
        _ENCODER.encode([authid, details]).encode()
    except (TypeError, ValueError, RecursionError):
        return Deny("what the client sent is not UTF-8")
    return None


def refusal_case(deny: Deny) -> str:
    """Which of ``uris.REFUSALS`` a client is told."""
    return "expired" if deny.retry else "denied"


def decide_unasked(role: str, action: str, uri: str, match: Match, *, by_backend: bool) -> Permission | None:
    """
    Decide what no application is asked about; None where it has to be asked.

    Args:
        role: of the session, for the log.
        action: WAMP's word; all but ``subscribe`` and ``call`` are refused.
        uri: what it wants to subscribe to, or to call.
        match: of the SUBSCRIBE; ``exact`` for a call.
        by_backend: a backend decides about topics, by Virge::Stork's URIs.
    """
    if action not in ("subscribe", "call"):
        return Permission(False, reason=f"the role {role} never may {action}")
    if match == "exact" and (action, uri) in uris.OPEN_TO_ALL:
        return Permission(True)
    if action == "subscribe" and (fault := _topic_fault(uri, match)):
        return Permission(False, reason=fault)
    if match != "exact" and by_backend:
        # Virge::Stork has no patterns: its authorizers do not look at options, and take one for a topic.
        return Permission(False, reason="patterns are not for topics that a backend decides about")
    return None


def cache_key(session: ClientSession | None, role: str, authid: str, action: str, uri: str, match: Match) -> Hashable:
    """
    Equal for questions that have one answer.

    Two sessions of one user may hold different facts: their answers are not each other's.

    Args:
        session: as the guard let it in; None where it did not.
    """
    return action, match, uri, authid, role, _fingerprint(session)


def _topic_fault(uri: str, match: Match) -> str | None:
    """Why nobody is asked about this: it is not a topic, or one of the node's and the router's own."""
    try:
        Topic.parse_pattern(uri, match)
    except InvalidTopic as error:
        return str(error)
    return f"{uri} is not for applications" if f"{uri}.".startswith(uris.RESERVED_TOPICS) else None


def _fingerprint(session: ClientSession | None) -> str:
    if session is None or not (session.extra or session.private):
        return "" if session else "unknown"
    return json.dumps([session.extra, session.private], sort_keys=True, default=str)


def join_key(realm: str, authid: str | None, details: Mapping[str, Any]) -> str:
    """Equal for two joins that no authenticator can tell apart, and of no use to whoever reads it."""
    transport = details["transport"]
    headers = (transport.get("http_headers_received") or {}).items()
    own = {name: value for name, value in headers if not name.lower().startswith("sec-websocket-")}
    said = [realm, authid, details.get("ticket"), details.get("authextra"), peer_host(transport.get("peer")), own]
    return hashlib.sha256(_ENCODER.encode(said).encode()).hexdigest()
