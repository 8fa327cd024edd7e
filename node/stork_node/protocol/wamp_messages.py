"""
WAMP messages in JSON.

The numbers are the message codes of the WAMP specification, "Message Codes and Direction".
"""

import json
from collections.abc import Sequence
from typing import Any

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, EVENT, CALL, RESULT = 32, 33, 34, 35, 36, 48, 50


def decode_message(text: str | bytes) -> list[Any]:
    """
    Decode one message.

    Raises:
        ValueError: not a JSON list with a first element.
    """
    message = json.loads(text)
    if not isinstance(message, list) or not message:
        raise ValueError("not a WAMP message")
    return message


def payload(fields: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword arguments at the end of a message; either may be missing."""
    args = fields[0] if fields else []
    kwargs = fields[1] if len(fields) > 1 else {}
    return args or [], kwargs or {}
