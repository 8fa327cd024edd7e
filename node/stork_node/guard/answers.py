"""
Strict readers of the answers to tickets and authorization requests. The application process sends its own forms
(``to_wire``).

A backend with Virge::Stork's URIs sends others: ``io.virge.stork.auth`` answers ``{role, authid}`` or ``[]``,
``….topic_auth`` a bool.
"""

from collections.abc import Collection, Mapping
from typing import Any

from stork_node.application.permission import Permission, read_allow
from stork_node.application.values import Deny, Principal
from stork_node.errors import InvalidAnswer


def read_ticket_answer(answer: Any, roles: Collection[str], now: float) -> Principal | Deny:
    """
    Read the application process's answer to a ticket.

    Args:
        answer: ``Principal.to_wire`` or ``Deny.to_wire``.
        roles: the roles that an application may give.
        now: Unix time in seconds; a principal that has already expired is a denial with ``retry``.

    Raises:
        InvalidAnswer: anything else.
    """
    if not read_allow(answer):
        return Deny.from_wire(answer)
    principal = check_role(Principal.from_wire(answer), roles)
    if principal.expires_at_s is not None and principal.expires_at_s <= now:
        return Deny("the principal's expires_at has passed", retry=True)
    return principal


def read_backend_ticket_answer(answer: Any, roles: Collection[str]) -> Principal | Deny:
    """
    Read the answer of a backend's ``io.virge.stork.auth``: ``{role, authid}``, or an empty answer for a refusal.

    A realm in the answer is ignored. ``authid`` is required: without it Crossbar would use the name that the client
    asked for.

    Raises:
        InvalidAnswer: anything else.
    """
    if _is_empty(answer):
        return Deny("the backend refused the ticket")
    if not isinstance(answer, Mapping):
        raise InvalidAnswer(f"a {type(answer).__name__} where {{role, authid}} or [] is expected")
    authid = answer.get("authid")
    text = str(authid) if isinstance(authid, int) and not isinstance(authid, bool) else authid
    return check_role(Principal.from_wire({"role": "frontend", **answer, "authid": text, "topics": ()}), roles)


def read_backend_permission(answer: Any) -> Permission:
    """
    Read the answer of a backend's ``io.virge.stork.topic_auth``: a bool, never cached; an empty answer is a refusal.

    Raises:
        InvalidAnswer: anything else.
    """
    if answer is True:
        return Permission(True)
    if _is_empty(answer):
        return Permission(False, reason="the backend refused the subscription")
    raise InvalidAnswer(f"{answer!r} where true or false is expected")


def _is_empty(answer: Any) -> bool:
    return answer is None or answer is False or answer in ([], {})


def check_role(principal: Principal, roles: Collection[str]) -> Principal:
    """
    The principal, if its role is one of ``roles``.

    Raises:
        InvalidAnswer: it is not.
    """
    if principal.role not in roles:
        raise InvalidAnswer(f"role {principal.role!r} is not one that the application may give ({', '.join(roles)})")
    return principal
