"""The credentials of a client, and the signature of a CHALLENGE."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Credentials:
    """The credentials of a session: a ticket, or the secret of WAMP-CRA, or nothing."""

    authid: str | None = None
    ticket: str | None = None
    secret: str | None = None

    @property
    def method(self) -> str:
        return "ticket" if self.ticket is not None else "wampcra" if self.secret is not None else "anonymous"

    def answer(self, method: str, extra: Mapping[str, Any]) -> str:
        """The signature of AUTHENTICATE for a CHALLENGE; ``extra`` may ask for a salted secret (PBKDF2)."""
        if method == "ticket" and self.ticket is not None:
            return self.ticket
        if method != "wampcra" or self.secret is None:
            raise ValueError(f"asked for {method}, which was not offered")
        key = self.secret.encode()
        if extra.get("salt"):
            salt, rounds, length = extra["salt"].encode(), extra.get("iterations", 1000), extra.get("keylen", 32)
            key = base64.b64encode(hashlib.pbkdf2_hmac("sha256", key, salt, rounds, length))
        return base64.b64encode(hmac.digest(key, extra["challenge"].encode(), "sha256")).decode()
