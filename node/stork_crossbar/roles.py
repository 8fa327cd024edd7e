"""Interfaces of components that the processes call; classes in ``stork_components`` implement them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stork_crossbar.component import Component


@dataclass
class DirectCalls:
    """Whether the router of this process calls its guard directly, and reports sessions to it (``personality``)."""

    are_made: bool = False


class DirectGuard(Component):
    """
    Decides about joins, subscriptions and calls.

    If ``DirectCalls`` are made, the sessions of this process call it as a function, and report joins and leaves to it.
    Otherwise it is called by WAMP, as in stock Crossbar.
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


class KeyHolder(Component):
    """Holds keys that ``stork reload`` replaces."""

    def reload(self, extra: Mapping[str, Any]) -> None:
        """
        Take the keys of a changed ``extra``.

        Raises:
            ConfigError: it cannot be used; the former keys stay.
        """
        raise NotImplementedError


class Drainer(Component):
    """Closes the clients of a node that is asked to stop."""

    async def drain(self) -> None:
        """Returns when every client is gone, or the time is over."""
        raise NotImplementedError
