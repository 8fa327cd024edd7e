"""What one port adds to the HTTP of all: further refusals, WebSockets, and a bound on its connections."""

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
    What a port adds.

    Args:
        check: refuses a request for another reason.
        websocket: for a resource and a client's address, the protocol that takes over; None for any other resource.
        entered, asked, left: are told of each channel: when it comes, at each whole request, and when it ends.
    """

    check: Callable[[Head], Refusal | None] = _never
    websocket: Callable[[Any, Any], Any] = _never
    entered: Callable[[Any], None] = _never
    asked: Callable[[Any], None] = _never
    left: Callable[[Any], None] = _never
