"""Checks a token: header, key, signature, claims. No I/O: ``UNKNOWN_KEY`` asks the caller to fetch keys first."""

import base64
from collections.abc import Collection, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from stork_node.application.values import Deny
from stork_node.tokens.claims import Bearer, ClaimRules, read_claims, read_user
from stork_node.tokens.keys import ALGORITHMS, VerifyingKey, candidates

_JWS = PyJWS(algorithms=list(ALGORITHMS))
_LONGEST_KEPT = 512
_EMPTY = "e30"  # {}


class Unverifiable(Enum):
    """The token may be right, but no key here fits its header."""

    UNKNOWN_KEY = "unknown key"


UNKNOWN_KEY = Unverifiable.UNKNOWN_KEY


def looks_like_token(ticket: Any) -> bool:
    """Whether a ticket has the form of a token: three parts with two dots."""
    return isinstance(ticket, str) and ticket.count(".") == 2


class TokenChecker:
    """
    Args:
        rules: for the claims.
        keys: the keys of the configuration itself; ``fetched`` adds those of key sets.
    """

    def __init__(self, rules: ClaimRules, keys: tuple[VerifyingKey, ...] = ()) -> None:
        self._rules, self._own = rules, keys
        self._fetched: dict[str, tuple[VerifyingKey, ...]] = {}
        self._keys = keys

    def fetched(self, source: str, keys: tuple[VerifyingKey, ...]) -> None:
        """``source`` has these keys now. Its earlier ones are gone."""
        self._fetched[source] = keys
        self._keys = (*self._own, *(key for each in self._fetched.values() for key in each))

    def inherit(self, earlier: "TokenChecker", sources: Collection[str]) -> None:
        """Begin with the keys that ``earlier`` has of these sources."""
        for source, keys in earlier._fetched.items():
            if source in sources:
                self.fetched(source, keys)

    def check(self, token: str, now: float) -> Bearer | Deny | Unverifiable:
        """
        Check a token.

        Args:
            token: header, claims and signature, in Base64url with dots between them.
            now: Unix time in seconds.
        """
        try:
            header = _header(token)
        except (PyJWTError, ValueError, RecursionError) as error:
            return Deny(f"the token cannot be read: {_said(error)}")
        if (fault := _header_fault(header)) is not None:
            return Deny(fault)
        kid = header.get("kid")
        fitting = candidates(self._keys, header["alg"], kid)
        try:
            signed, payload, signature = _parts(token)
        except ValueError:
            return Deny("the token cannot be read: its claims or its signature are not Base64url")
        if any(key.verifies(signed, signature) for key in fitting):
            return read_claims(payload, self._rules, now)
        is_known = any(kid is None or key.kid == kid for key in fitting)
        return Deny("the token's signature is wrong") if is_known else UNKNOWN_KEY

    def claimed_user(self, token: str) -> str:
        """The user whom a token names, which may be anybody's; empty if it names none."""
        try:
            return read_user(_decode(token.encode().split(b".")[1]), self._rules)
        except ValueError:
            return ""


def _parts(token: str) -> tuple[bytes, bytes, bytes]:
    """What is signed, the claims, and the signature."""
    signed, _, signature = token.encode().rpartition(b".")
    return signed, _decode(signed.partition(b".")[2]), _decode(signature)


def _decode(segment: bytes) -> bytes:
    decoded = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != segment:
        raise ValueError("not Base64url in its only form")
    return decoded


def _header(token: str) -> Mapping[str, Any]:
    segment = token.partition(".")[0]
    return _read_header(segment) if len(segment) <= _LONGEST_KEPT else _read_header.__wrapped__(segment)


@lru_cache(maxsize=256)  # the tokens of one issuer have one header
def _read_header(segment: str) -> Mapping[str, Any]:
    header: Mapping[str, Any] = _JWS.get_unverified_header(f"{segment}.{_EMPTY}.{_EMPTY}")
    return header


def _header_fault(header: Mapping[str, Any]) -> str | None:
    alg = header.get("alg")
    if alg not in ALGORITHMS:
        return f"the token's alg is {str(alg)[:20]!r}, want one of {', '.join(ALGORITHMS)}"
    # A critical extension changes the meaning of a token, and none is known here (RFC 7515, 4.1.11).
    for name in ("crit", "b64"):
        if name in header:
            return f"the token's header has {name}, which is not supported"
    return None


def unknown_key(token: str) -> Deny:
    """The refusal of a token for which no key fits, even after the keys were fetched."""
    header = _header(token)
    named = f" with the kid {str(header['kid'])[:100]!r}" if "kid" in header else ""
    return Deny(f"no key for {header['alg']}{named} verifies the token")


def _said(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
