"""Tokens and keys for tests."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "a secret of 32 bytes and more, for tests"


class SigningKey:
    """A private key for RS256 or ES256, with its ``kid``."""

    def __init__(self, alg: str, kid: str = "") -> None:
        self.alg, self.kid = alg, kid
        self.private = (
            rsa.generate_private_key(65537, 2048) if alg == "RS256" else ec.generate_private_key(ec.SECP256R1())
        )

    @property
    def pem(self) -> str:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def jwk(self) -> dict[str, Any]:
        found = jwt.get_algorithm_by_name(self.alg).to_jwk(self.private.public_key(), as_dict=True)
        return {**found, "use": "sig", **({"kid": self.kid} if self.kid else {})}

    def sign(self, **claims: Any) -> str:
        headers = {"kid": self.kid} if self.kid else {}
        return jwt.encode(with_defaults(claims), self.private, algorithm=self.alg, headers=headers)


def jwks(*keys: SigningKey) -> bytes:
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()


def with_defaults(claims: dict[str, Any]) -> dict[str, Any]:
    """These claims, a user and an end in an hour; a claim of None is left out."""
    whole = {"sub": "ann", "exp": int(time.time()) + 3600, **claims}
    return {name: value for name, value in whole.items() if value is not None}


def sign(secret: str | bytes = SECRET, headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token for HS256."""
    return jwt.encode(with_defaults(claims), secret, algorithm="HS256", headers=headers)
