"""
The documents that ``http`` sends, and the reading of the answers.

A refusal is 403 (or 401: the ticket has expired). Everything but 200, 401 and 403 is no answer: the client tries again.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stork_node.application.auth_request import AuthRequest
from stork_node.application.permission import Permission
from stork_node.application.values import ClientSession, Deny, Principal
from stork_node.errors import NoDecision
from stork_node.protocol.topics import Topic

MAX_ANSWER_BYTES = 64 * 1024

_HINTS = {
    301: "use the final address, for redirects are not followed",
    302: "use a route without session and CSRF",
    303: "use a route without session and CSRF",
    307: "use the final address, for redirects are not followed",
    308: "use the final address, for redirects are not followed",
    404: "no such route",
    405: "the route takes no POST",
    419: "use a route without session and CSRF",
    429: "the route limits the rate of requests",
}
_LONGEST_LOCATION = 200


def connect_question(request: AuthRequest) -> bytes:
    """The document for ``connect``."""
    return _encode(
        {
            "ticket": request.ticket,
            "authid": request.authid,
            "realm": request.realm,
            "headers": dict(request.headers),
            "cookies": dict(request.cookies),
            "address": request.address,
        }
    )


def subscribe_question(session: ClientSession, topic: Topic) -> bytes:
    """The document for ``subscribe``."""
    asker = {"id": session.id, "authid": session.authid, "private": session.private}
    return _encode({"session": asker, "topic": topic.uri, "match": topic.match})


def request_headers(secret: str, forwarded: Sequence[str], handshake: Mapping[str, str]) -> dict[str, str]:
    """
    The headers of a request.

    Args:
        secret: for ``Authorization``, or empty.
        forwarded: names of headers to send again.
        handshake: the headers of the client's handshake.
    """
    own = {"Content-Type": "application/json", "Accept": "application/json"}
    if secret:
        own["Authorization"] = f"Bearer {secret}"
    return {**{name: handshake[name] for name in forwarded if name in handshake}, **own}


def read_connect(status: int, location: str, body: bytes) -> Principal | Deny:
    """
    Read the answer of ``connect``: ``{"authid", "extra"?, "private"?, "presence"?, "expires_at"?, "topics"?}``.

    Raises:
        NoDecision: everything that is neither that nor a refusal.
    """
    if status == 401:
        return Deny("401: the ticket has expired", retry=True)
    if status == 403:
        return Deny("403: the ticket was refused")
    answer = _document(status, location, body)
    authid = answer.get("authid")
    if isinstance(authid, int) and not isinstance(authid, bool):
        authid = str(authid)
    objects: Any = {key: answer.get(key) or {} for key in ("extra", "private")}
    named: Any = {key: answer.get(key) for key in ("expires_at", "presence")}
    named |= {"authid": authid, "topics": answer.get("topics") or ()}
    try:
        return Principal(**named, **objects)
    except (TypeError, ValueError) as error:
        raise NoDecision(f"200 with a document that is no answer: {error}") from None


def read_subscribe(status: int, location: str, body: bytes, cache_s: float) -> Permission:
    """
    Read the answer of ``subscribe``: ``{"allow": bool, "cache_s"?}``.

    Args:
        status, location, body: the answer.
        cache_s: seconds that an answer without ``cache_s`` holds.

    Raises:
        NoDecision: everything that is neither that nor a refusal.
    """
    if status in (401, 403):
        return Permission(False, 0.0, f"{status}: the subscription was refused")
    answer = _document(status, location, body)
    allow, holds_s = answer.get("allow"), answer.get("cache_s", cache_s)
    if not isinstance(allow, bool):
        raise NoDecision(
            '200 with a document that is no answer: allow is neither true nor false (want {"allow": true})'
        )
    if isinstance(holds_s, bool) or not isinstance(holds_s, int | float) or not 0 <= holds_s < math.inf:
        raise NoDecision("200 with a document that is no answer: cache_s is no number of seconds")
    return Permission(allow, float(holds_s), "" if allow else "200: allow is false")


def _document(status: int, location: str, body: bytes) -> Mapping[str, Any]:
    if status != 200:
        to = f" to {location[:_LONGEST_LOCATION]}" if location else ""
        hint = _HINTS.get(status)
        raise NoDecision(f"{status}{to}" + (f": {hint}" if hint else ""))
    if len(body) > MAX_ANSWER_BYTES:
        raise NoDecision(f"200 with more than {MAX_ANSWER_BYTES // 1024} KiB")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise NoDecision("200 with a body that is not JSON") from None
    if not isinstance(answer, dict):
        raise NoDecision("200 with JSON that is not an object")
    return answer


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
