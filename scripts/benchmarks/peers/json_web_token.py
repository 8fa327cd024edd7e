"""JSON Web Tokens, HS256, for the servers that take them."""

import base64
import hashlib
import hmac
import json
from typing import Any


def sign(claims: dict[str, Any], secret: str) -> str:
    signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + _base64(hmac.digest(secret.encode(), signed, hashlib.sha256))).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
