"""Roles of components that the processes call; the classes in ``stork_components`` fill them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stork_crossbar.component import Component


@dataclass
class DirectCalls:
    """Whether the router of this process calls its guard directly, and tells it of sessions (``personality``)."""

    are_made: bool = False


class DirectGuard(Component):
    """
    Decides who may join, subscribe and call.

    Where ``DirectCalls`` are made, the sessions of this process call it as a function, and tell it who joined and left;
    else it is asked by WAMP, as stock Crossbar does.
    """

    async def authenticate(self, realm: str, authid: str | None, details: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    async def authorize(
        self, session: dict[str, Any], uri: str, action: str, options: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        raise NotImplementedError

    def joined(self, session_id: int) -> None:
        raise NotImplementedError

    def left(self, session_id: int) -> None:
        raise NotImplementedError


class Drainer(Component):
    """Lets go of the clients of a node that is asked to stop."""

    async def drain(self) -> None:
        """Returns when every client is gone, or the time for it is over."""
        raise NotImplementedError
