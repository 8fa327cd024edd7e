"""Checks a token: header, key, signature, claims. No I/O: ``UNKNOWN_KEY`` asks the caller to fetch keys first."""

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from jwt import PyJWS
from jwt.exceptions import InvalidSignatureError, PyJWTError

from stork_node.application.values import Deny
from stork_node.tokens.claims import Bearer, ClaimRules, read_claims
from stork_node.tokens.keys import ALGORITHMS, VerifyingKey, candidates

_JWS = PyJWS(algorithms=list(ALGORITHMS))


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
            header = _JWS.get_unverified_header(token)
        except (PyJWTError, ValueError, RecursionError) as error:
            return Deny(f"the token cannot be read: {_said(error)}")
        if (fault := _header_fault(header)) is not None:
            return Deny(fault)
        kid = header.get("kid")
        fitting = candidates(self._keys, header["alg"], kid)
        for key in fitting:
            try:
                payload = _JWS.decode_complete(token, key.jwk, [key.alg])["payload"]
            except InvalidSignatureError:
                continue
            except (PyJWTError, ValueError, TypeError, RecursionError) as error:
                return Deny(f"the token cannot be read: {_said(error)}")
            return read_claims(payload, self._rules, now)
        is_known = any(kid is None or key.kid == kid for key in fitting)
        return Deny("the token's signature is wrong") if is_known else UNKNOWN_KEY


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
    header = _JWS.get_unverified_header(token)
    named = f" with the kid {str(header['kid'])[:100]!r}" if "kid" in header else ""
    return Deny(f"no key for {header['alg']}{named} verifies the token")


def _said(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
