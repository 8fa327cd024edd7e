"""
Decisions that need no application (bad topics, patterns with a backend), and the keys of remembered answers. No I/O.

The guard of a node (``stork_components.guard``) and ``AppTester`` call this, so they decide in the same way.
"""

import hashlib
import json
from collections.abc import Hashable, Mapping
from typing import Any, cast

from stork_node.application.grants import Grants, Patterns
from stork_node.application.permission import Permission
from stork_node.application.values import ClientSession, Deny, peer_host
from stork_node.errors import InvalidTopic
from stork_node.nodes.binding import names_answer
from stork_node.protocol import uris
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.topics import Match, Topic

NOT_AUTHORIZED = "wamp.error.not_authorized"

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


def refuse_ticket(authid: str | None, details: Mapping[str, Any]) -> Deny | None:
    """
    Refuse a ticket that cannot be sent to the application.

    Lone surrogates have no UTF-8, and CBOR clients may send keys that are no text. Crossbar drops messages that it
    cannot serialize, and the client would get no answer.
    """
    try:
        _ENCODER.encode([authid, details]).encode()
    except (TypeError, ValueError, RecursionError):
        return Deny("the client's message is not UTF-8")
    return None


def refusal_case(deny: Deny) -> str:
    """The case of ``uris.REFUSALS`` that the client gets."""
    return "expired" if deny.retry else "denied"


def decide_unasked(role: str, action: str, uri: str, match: Match, *, by_backend: bool) -> Permission | None:
    """
    Decide without asking the application; None if it must be asked.

    Args:
        role: the session's role, for the log.
        action: WAMP's word, such as ``subscribe``, or ``presence``: to see who is online in a topic. Others than these
            and ``call`` are refused.
        uri: the topic or pattern of a subscription, or the procedure of a call.
        match: of the SUBSCRIBE; ``exact`` for a call.
        by_backend: whether a backend decides about topics, by Virge::Stork's URIs.
    """
    if action not in ("subscribe", "presence", "call"):
        return Permission(False, reason=f"the role {role} never may {action}")
    if match == "exact" and (action, uri) in uris.OPEN_TO_ALL:
        return Permission(True)
    if action != "call" and (fault := _topic_fault(uri, match)):
        return Permission(False, reason=fault)
    if match != "exact" and by_backend:
        # Virge::Stork has no patterns: its authorizers ignore options, and would take a pattern for a topic.
        return Permission(False, reason="patterns are not for topics that a backend decides about")
    return None


def is_granted(grants: Grants, action: str, uri: str, match: Match, patterns: Patterns) -> bool:
    """
    Whether the session's own ticket permits a subscription, so that no verifier needs to be asked.

    Args:
        grants: the topics of the ticket.
        action, uri, match: as in ``decide_unasked``.
        patterns: the patterns that each feed has.
    """
    return action == "subscribe" and not _topic_fault(uri, match) and grants.permit(uri, match, patterns)


def cache_key(session: ClientSession | None, role: str, authid: str, action: str, uri: str, match: Match) -> Hashable:
    """
    The key of a decision: equal for requests that must get the same answer.

    Two sessions of one user may have different private data, and so get different answers.

    Args:
        session: the session that the guard admitted; None if another authenticator did.
    """
    return action, match, uri, authid, role, _fingerprint(session)


def user_of(key: Hashable) -> str:
    """The authid in a key of ``cache_key``."""
    return cast("tuple[str, str, str, str, str, str]", key)[3]


def is_named(command: Command, authids: frozenset[str], key: Hashable) -> bool:
    """
    Whether a command names the decision with this key of ``cache_key``.

    Args:
        authids: the users of the session that the command names, if that is known.
    """
    action, match, uri, authid, role, _ = cast("tuple[str, str, str, str, str, str]", key)
    return names_answer(command, authids, action, uri, match, (authid, role))


def _topic_fault(uri: str, match: Match) -> str | None:
    """Why this topic is refused without asking: it is malformed, or reserved for the node and the router."""
    try:
        Topic.parse_pattern(uri, match)
    except InvalidTopic as error:
        return str(error)
    return f"{uri} is not for applications" if f"{uri}.".startswith(uris.RESERVED_TOPICS) else None


def _fingerprint(session: ClientSession | None) -> bytes:
    if session is None or not (session.extra or session.private):
        return b"" if session else b"unknown"
    said = json.dumps([session.extra, session.private], sort_keys=True, default=str)
    return hashlib.sha256(said.encode(errors="surrogatepass")).digest()  # each entry of the cache keeps it


def join_key(realm: str, authid: str | None, details: Mapping[str, Any]) -> str:
    """The key of a join: equal for joins that no authenticator can distinguish. It reveals nothing about the ticket."""
    transport = details["transport"]
    headers = (transport.get("http_headers_received") or {}).items()
    own = {name: value for name, value in headers if not name.lower().startswith("sec-websocket-")}
    said = [realm, authid, details.get("ticket"), details.get("authextra"), peer_host(transport.get("peer")), own]
    return hashlib.sha256(_ENCODER.encode(said).encode()).hexdigest()
