"""
What an application answers, read strictly: the guard's own wording leaves this module, nothing of the application's.

Two kinds of application are asked: the application process (``io.virge.stork.app.*``, dictionaries), and a backend that
registered Virge::Stork's own URIs (``io.virge.stork.auth``: ``{role, authid}`` or ``[]``; ``….topic_auth``: a bool).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from stork_node.errors import StorkError


class Nonsense(StorkError):
    """An answer that is not one: the application is at fault, and the client may try again."""


@dataclass(frozen=True)
class Admission:
    """A session that may join; ``private`` stays in the node, ``expires_at`` is Unix time in seconds."""

    authid: str
    role: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict)
    expires_at: float | None = None


@dataclass(frozen=True)
class Denial:
    """A ticket that is refused, for good or (``retry``) until the client has another one."""

    reason: str
    retry: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether a session may subscribe or call, for how long that holds (seconds), and why not."""

    allow: bool
    cache_s: float = 0.0
    reason: str = ""


def _mapping(answer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = answer.get(key) or {}
    if not isinstance(value, Mapping):
        raise Nonsense(f"{key} is a {type(value).__name__}, not an object")
    return value


def _admission(authid: Any, role: Any, roles: Collection[str], answer: Mapping[str, Any]) -> Admission:
    if isinstance(authid, int) and not isinstance(authid, bool):
        authid = str(authid)
    if not isinstance(authid, str) or not authid:
        raise Nonsense(f"authid is {authid!r}, and must be a text that is not empty")
    if role not in roles:
        raise Nonsense(f"role {role!r} is not one that the application may give ({', '.join(roles)})")
    expires_at = answer.get("expires_at")
    if expires_at is not None and (isinstance(expires_at, bool) or not isinstance(expires_at, int | float)):
        raise Nonsense(f"expires_at is {expires_at!r}, and must be Unix time in seconds")
    return Admission(authid, role, _mapping(answer, "extra"), _mapping(answer, "private"), expires_at)


def read_ticket_answer(answer: Any, roles: Collection[str], now: float) -> Admission | Denial:
    """
    Read what the application process says of a ticket.

    Args:
        answer: ``{"allow": true, "authid", "role", "extra", "private", "expires_at"}`` or
            ``{"allow": false, "retry": bool, "reason": str}``.
        roles: the roles that an application may give.
        now: Unix time in seconds; a principal that has already expired is a denial with ``retry``.

    Raises:
        Nonsense: anything else.
    """
    if not isinstance(answer, Mapping) or not isinstance(answer.get("allow"), bool):
        raise Nonsense(f"a {type(answer).__name__} without allow")
    if not answer["allow"]:
        return Denial(str(answer.get("reason", "")), answer.get("retry") is True)
    admission = _admission(answer.get("authid"), answer.get("role"), roles, answer)
    if admission.expires_at is not None and admission.expires_at <= now:
        return Denial("the principal's expires_at has passed", retry=True)
    return admission


def read_backend_ticket_answer(answer: Any, roles: Collection[str]) -> Admission | Denial:
    """
    Read what a backend's ``io.virge.stork.auth`` says: ``{role, authid}``, or an empty answer for a refusal.

    A realm in the answer is ignored. ``authid`` is required: Crossbar would otherwise give what the client asked for.

    Raises:
        Nonsense: anything else.
    """
    if answer is None or answer is False or answer in ([], {}):
        return Denial("the backend refused the ticket")
    if not isinstance(answer, Mapping):
        raise Nonsense(f"a {type(answer).__name__} where {{role, authid}} or [] is expected")
    return _admission(answer.get("authid"), answer.get("role", "frontend"), roles, answer)


def read_verdict(answer: Any) -> Verdict:
    """
    Read what the application process says of a subscription or a call: ``{"allow": bool, "cache_s", "reason": str}``.

    Raises:
        Nonsense: anything else.
    """
    if not isinstance(answer, Mapping) or not isinstance(answer.get("allow"), bool):
        raise Nonsense(f"a {type(answer).__name__} without allow")
    cache_s = answer.get("cache_s", 0)
    if isinstance(cache_s, bool) or not isinstance(cache_s, int | float) or not cache_s >= 0:
        raise Nonsense(f"cache_s is {cache_s!r}, and must be seconds")
    return Verdict(answer["allow"], float(cache_s), str(answer.get("reason", "")))


def read_backend_verdict(answer: Any) -> Verdict:
    """
    Read what a backend's ``io.virge.stork.topic_auth`` says: a bool, never cached; an empty answer is a refusal.

    Raises:
        Nonsense: anything else.
    """
    if answer is True:
        return Verdict(True)
    if answer is None or answer is False or answer in ([], {}):
        return Verdict(False, reason="the backend refused the subscription")
    raise Nonsense(f"{answer!r} where true or false is expected")
