"""The connections of a router's clients: private names of Crossbar, in one place."""

import random
from collections import Counter
from typing import Any

from stork_crossbar.connections.closing import close_transport

INSIDERS = frozenset({"backend", "trusted"})
"""Roles of the deployment itself; all others are visitors'."""


class Client:
    """One session that came by WebSocket; embedded components and those of the application process are none."""

    def __init__(self, router: Any, session: Any) -> None:
        self._router, self._session = router, session

    @property
    def is_connected(self) -> bool:
        return self._session._session_id in self._router._session_id_to_session

    @property
    def is_backend(self) -> bool:
        return getattr(self._session, "_authrole", None) in INSIDERS

    @property
    def has_calls_in_flight(self) -> bool:
        """Whether it waits for an answer, or owes one."""
        dealer = self._router._dealer
        return bool(
            dealer._caller_to_invocations.get(self._session) or dealer._callee_to_invocations.get(self._session)
        )

    def close(self, code: int, reason: str) -> None:
        close_transport(self._session._transport, code, reason)


def tcp_transports(controller: Any) -> list[str]:
    """The ids of the transports that listen on a TCP port, of a router worker's ``controller``."""
    return [name for name, transport in controller.transports.items() if transport._config["endpoint"]["type"] == "tcp"]


def census(component: Any) -> tuple[dict[str, int], int]:
    """How many sessions there are of each role (0 of one that nobody has), and how many subscriptions in all."""
    router = component._transport._router
    roles = Counter(dict.fromkeys(router._roles, 0))
    roles.update(str(session._authrole) for session in router._session_id_to_session.values())
    return dict(roles), sum(map(len, router._broker._session_to_subscriptions.values()))


def clients_of(component: Any) -> list[Client]:
    """Those of the router that ``component`` is embedded in: visitors in no order, then backends."""
    router = component._transport._router
    sessions = [
        session for session in router._session_id_to_session.values() if hasattr(session._transport, "sendCloseFrame")
    ]
    random.shuffle(sessions)
    return sorted((Client(router, session) for session in sessions), key=lambda client: client.is_backend)
