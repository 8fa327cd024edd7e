"""The claims of a token whose signature is right: who its bearer is, until when, and for which topics."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from stork_node.application.grants import NO_GRANTS, Grants
from stork_node.application.values import Deny, Principal

_LONGEST_SUB = 128
_LATEST_S = 1e11  # as in ``Principal``: larger is a time in milliseconds
_REGISTERED = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
_MISSING = object()


@dataclass(frozen=True)
class ClaimRules:
    """
    The claims that a token must have.

    If ``issuer`` or ``audiences`` is empty, any value will do. ``sub``, ``topics`` and ``presence`` are the names of
    the claims for the user, the topics, and what others see of the user. A dot leads into an object
    (``mercure.subscribe``).
    """

    issuer: str = ""
    audiences: tuple[str, ...] = ()
    leeway_s: float = 30.0
    sub: str = "sub"
    topics: str = "topics"
    presence: str = "presence"


@dataclass(frozen=True)
class Bearer:
    """Who a token lets in. ``grants`` are its topics, ``issued_at`` (Unix time in seconds) its ``iat``."""

    principal: Principal
    grants: Grants = NO_GRANTS
    issued_at: float | None = None


def read_claims(payload: bytes, rules: ClaimRules, now: float) -> Bearer | Deny:
    """
    Read the claims of a token.

    The session ends at ``exp``; for a token that is accepted by the leeway alone, at the end of the leeway.

    Args:
        payload: the claims, as JSON.
        rules: see there.
        now: Unix time in seconds.
    """
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        return Deny("the token's claims are not JSON")
    if not isinstance(claims, dict):
        return Deny("the token's claims are not an object")
    try:
        return _read(claims, rules, now)
    except (ValueError, TypeError, RecursionError) as error:
        return Deny(f"the token's {error}")


def read_user(payload: bytes, rules: ClaimRules) -> str:
    """The user whom claims name, which are not checked; empty if there is none."""
    try:
        claims = json.loads(payload)
        return _authid(_claim(claims, rules.sub), rules.sub) if isinstance(claims, dict) else ""
    except (ValueError, RecursionError):
        return ""


def _read(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> Bearer | Deny:
    ends, begins, issued_at = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    _check_issuer(claims.get("iss"), rules.issuer)
    _check_audience(claims.get("aud"), rules.audiences)
    if begins is not None and begins > now + rules.leeway_s:
        raise ValueError(f"nbf is {begins - now:.0f} s ahead")
    if issued_at is not None and issued_at > now + rules.leeway_s:
        raise ValueError(f"iat is {issued_at - now:.0f} s ahead")
    authid = _authid(_claim(claims, rules.sub), rules.sub)
    topics = _claim(claims, rules.topics)
    grants = NO_GRANTS if topics is _MISSING else Grants.parse(topics, rules.topics)
    presence = _claim(claims, rules.presence)
    private = {name: value for name, value in claims.items() if name not in _REGISTERED}
    if ends is not None and ends + rules.leeway_s <= now:
        return Deny(f"the token expired {now - ends:.0f} s ago", retry=True)
    ends_at = ends if ends is None or ends > now else ends + rules.leeway_s
    shown = None if presence is _MISSING else presence
    return Bearer(Principal(authid, private=private, expires_at=ends_at, presence=shown), grants, issued_at)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return _MISSING
        found = found[part]
    return found


def _authid(value: Any, name: str) -> str:
    if value is _MISSING:
        raise ValueError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} is of type {type(value).__name__}, want text or an integer")
    authid = str(value)
    if not 1 <= len(authid) <= _LONGEST_SUB:
        raise ValueError(f"{name} has {len(authid)} characters, want 1 to {_LONGEST_SUB}")
    return authid


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LATEST_S:
        raise ValueError(f"{name} is {_kind(value)}, want Unix time in seconds")
    return float(value)


def _kind(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "no such time" if is_number else f"of type {type(value).__name__}"


def _check_issuer(issuer: Any, wanted: str) -> None:
    if wanted and issuer != wanted:
        raise ValueError(f"iss is {_shown(issuer)}, want {wanted!r}")


def _check_audience(audience: Any, wanted: Collection[str]) -> None:
    listed = audience if isinstance(audience, list) else [audience]
    if audience is not None and not all(isinstance(each, str) for each in listed):
        raise ValueError("aud is neither text nor a list of texts")
    if wanted and not set(wanted) & {each for each in listed if isinstance(each, str)}:
        raise ValueError(f"aud is {_shown(audience)}, want {' or '.join(map(repr, wanted))}")


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(value)[:100]
