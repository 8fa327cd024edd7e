"""The rules of one port beside HTTP itself: more refusals, WebSockets, and a bound on its connections."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stork_node.http.heads import Head, Refusal

REQUEST_TIMEOUT_S = 30.0


def _never(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Rules:
    """
    The rules of one port.

    Args:
        check: refuses a request for another reason.
        websocket: takes a resource and a client's address; returns the protocol that takes over, or None.
        entered, asked, left: are called with each channel: when it comes, at each whole request, and when it ends.
    """

    check: Callable[[Head], Refusal | None] = _never
    websocket: Callable[[Any, Any], Any] = _never
    entered: Callable[[Any], None] = _never
    asked: Callable[[Any], None] = _never
    left: Callable[[Any], None] = _never
