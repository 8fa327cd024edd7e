"""The keys that verify tokens: each belongs to one algorithm, and perhaps has a ``kid``."""

import base64
import binascii
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK, get_algorithm_by_name
from jwt.exceptions import PyJWTError

ALGORITHMS = ("HS256", "RS256", "ES256")

_SHORTEST_HS256_BYTES = 32  # RFC 7518, 3.2
_SHORTEST_RSA_BITS = 2048  # RFC 7518, 3.3
_MOST_KEYS = 100
_BASE64 = "base64:"
_PEM = "-----BEGIN "


@dataclass(frozen=True)
class VerifyingKey:
    """``jwk`` holds the key's material and its algorithm; a token cannot choose another algorithm for it."""

    jwk: PyJWK
    kid: str | None = None

    @property
    def alg(self) -> str:
        return str(self.jwk.algorithm_name)

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's."""
        # PyJWS.decode prepares a key anew for each token, which takes several times as long as the check itself.
        return bool(self.jwk.Algorithm.verify(signed, self.jwk.key, signature))

    @classmethod
    def read(cls, text: str, kid: str | None = None) -> Self:
        """
        Read a key.

        Args:
            text: a public key in PEM (RSA or P-256), or an HS256 key: plain text, or ``base64:…`` as Laravel's APP_KEY.

        Raises:
            ValueError: not a key, or too short a key. The sentence never quotes it.
        """
        if text.lstrip().startswith(_PEM):
            return cls(_public_key(text), kid)
        secret = _decode(text.removeprefix(_BASE64)) if text.startswith(_BASE64) else text.encode()
        if len(secret) < _SHORTEST_HS256_BYTES:
            raise ValueError(
                f"an HS256 key of {len(secret)} bytes is too short (want {_SHORTEST_HS256_BYTES} or more, such as "
                "base64: and the output of: openssl rand -base64 32)"
            )
        encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
        return cls(PyJWK({"kty": "oct", "k": encoded}, "HS256"), kid)


def read_jwks(document: bytes | str, *, symmetric: bool) -> tuple[VerifyingKey, ...]:
    """
    Read a JSON Web Key Set (RFC 7517). Keys for other purposes and algorithms are left out.

    Args:
        document: its JSON.
        symmetric: whether HS256 keys count. They are secrets, and no public URL may have them.

    Raises:
        ValueError: not a key set, or no key of it can verify a token.
    """
    try:
        listed = json.loads(document)["keys"]
        if not isinstance(listed, list):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError('not a JSON Web Key Set (want {"keys": […]})') from None
    keys = [key for each in listed[:_MOST_KEYS] if (key := _from_jwk(each)) and (symmetric or key.alg != "HS256")]
    if not keys:
        raise ValueError(f"no key here can verify a token (want a key for one of {', '.join(ALGORITHMS)})")
    return tuple(keys)


def candidates(keys: Sequence[VerifyingKey], alg: Any, kid: Any) -> list[VerifyingKey]:
    """The keys that a token of this header may be signed with: ``kid`` chooses among those that have one."""
    fitting = [key for key in keys if key.alg == alg]
    if kid is None:
        return fitting
    return [key for key in fitting if key.kid == kid] or [key for key in fitting if key.kid is None]


def _from_jwk(jwk: Any) -> VerifyingKey | None:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or "d" in jwk:  # a private key
        return None
    kid = jwk.get("kid")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            key = PyJWK(jwk)
    except (PyJWTError, ValueError, TypeError, AttributeError, Warning):
        return None
    material = key.key
    if key.algorithm_name not in ALGORITHMS or (kid is not None and not isinstance(kid, str)):
        return None
    too_short = (isinstance(material, bytes) and len(material) < _SHORTEST_HS256_BYTES) or (
        getattr(material, "key_size", _SHORTEST_RSA_BITS) < _SHORTEST_RSA_BITS and key.algorithm_name == "RS256"
    )
    return None if too_short else VerifyingKey(key, kid)


def _public_key(pem: str) -> PyJWK:
    if "PRIVATE KEY" in pem:
        raise ValueError("this is a private key, and only its public key belongs here (openssl pkey -pubout)")
    try:
        key = load_pem_public_key(pem.strip().encode())
    except Exception:
        raise ValueError("not a public key in PEM (want -----BEGIN PUBLIC KEY-----)") from None
    if isinstance(key, RSAPublicKey):
        if key.key_size < _SHORTEST_RSA_BITS:
            raise ValueError(f"an RSA key of {key.key_size} bits is too short (want {_SHORTEST_RSA_BITS} or more)")
        alg = "RS256"
    elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        alg = "ES256"
    else:
        raise ValueError("not a key for RS256 or ES256 (want an RSA key, or one on the curve P-256)")
    return PyJWK(get_algorithm_by_name(alg).to_jwk(key, as_dict=True), alg)


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("base64: is followed by something that is not Base64") from None
