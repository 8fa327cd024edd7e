"""
Signatures of Pusher: HMAC-SHA256 with an app's secret, in hexadecimal, compared in constant time.

``auth`` of a client is ``KEY:SIGNATURE``, with any of the app's keys: several are there while one replaces another.
"""

import hashlib
import hmac
from collections.abc import Mapping


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(secret: str, text: str, signature: str) -> bool:
    """Whether ``signature`` is that of ``text``. Text that is not UTF-8 has no signature."""
    try:
        return hmac.compare_digest(sign(secret, text).encode(), signature.encode())
    except UnicodeEncodeError:
        return False


def is_authorized(secrets: Mapping[str, str], auth: object, text: str) -> bool:
    """
    Whether ``auth`` is a signature of ``text``.

    Args:
        secrets: by the app's keys.
    """
    if not isinstance(auth, str):
        return False
    key, _, signature = auth.partition(":")
    secret = secrets.get(key)
    return secret is not None and is_signed(secret, text, signature)


def channel_text(socket_id: str, channel: str, channel_data: str | None = None) -> str:
    """The signed text of a subscription; presence channels have ``channel_data``."""
    return f"{socket_id}:{channel}" if channel_data is None else f"{socket_id}:{channel}:{channel_data}"


def user_text(socket_id: str, user_data: str) -> str:
    """The signed text of a sign-in."""
    return f"{socket_id}::user::{user_data}"


def request_text(method: str, path: str, parameters: Mapping[str, str]) -> str:
    """
    The signed text of a request of the HTTP API.

    Args:
        parameters: with lower-case names and percent-decoded values, without ``auth_signature``.
    """
    query = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    return f"{method}\n{path}\n{query}"
