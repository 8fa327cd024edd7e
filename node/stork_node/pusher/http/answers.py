"""The answers of Pusher's HTTP API, as JSON."""

import json
from typing import Any

from stork_node.pusher.errors import HttpRefusal

EMPTY = b"{}"

_REFUSED = ("invalid_push", "id_reused")


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def refusal(error: HttpRefusal) -> bytes:
    """One sentence, and the status once more: for the developer, as libraries know little but the status."""
    return as_json({"error": error.reason, "code": error.status})


def outcome(error: str, answer: bytes) -> HttpRefusal:
    """
    What a failed push is for the backend.

    Args:
        error: the name of the publish server's error.
        answer: its answer, JSON with a ``reason``.
    """
    reason = json.loads(answer).get("reason", error) if answer else error
    return HttpRefusal(400 if error in _REFUSED else 503, reason)
