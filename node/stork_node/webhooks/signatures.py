"""
``Stork-Signature: t=1700000000,v1=…``: the hexadecimal HMAC-SHA256 of ``t + "." + body``.

This loads only the standard library and the clock, so that a backend can use it alone.
"""

import hmac
import re
from hashlib import sha256

from stork_node import clock

MOST_SECONDS_OFF = 300
"""A receiver refuses a signature that is older, or of a later time."""

_FORM = re.compile(r"t=([0-9]{1,12})((?:,v1=[0-9a-f]{64})+)")


def sign(secret: str, body: bytes, at_s: int) -> str:
    """The value of ``Stork-Signature``; ``at_s``: seconds since 1970."""
    return f"t={at_s},v1={_digest(secret, str(at_s), body)}"


def verify_webhook(secret: str, signature: str, body: bytes, now: float | None = None) -> bool:
    """
    Whether a request is from your publish server. Answer 401, and do nothing else, if it is not.

    Args:
        secret: that of the webhook in config.json.
        signature: the header ``Stork-Signature``; empty where it is missing.
        body: the bytes of the request, as they came.
        now: seconds since 1970; a signature that is more than 300 s off is refused.
    """
    found = _FORM.fullmatch(signature)
    if found is None or not secret:
        return False
    if abs((clock.wall() if now is None else now) - int(found[1])) > MOST_SECONDS_OFF:
        return False
    expected = _digest(secret, found[1], body)
    return any(hmac.compare_digest(expected, each) for each in found[2].removeprefix(",v1=").split(",v1="))


def _digest(secret: str, at_s: str, body: bytes) -> str:
    return hmac.new(secret.encode(), at_s.encode() + b"." + body, sha256).hexdigest()
