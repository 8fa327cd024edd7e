"""The connections of a router's clients: private names of Crossbar, in one place."""

import random
from collections import Counter
from typing import Any

from stork_crossbar.connections.closing import close_transport

INSIDERS = frozenset({"backend", "trusted"})
"""Roles of the deployment itself. Sessions of all other roles are visitors."""


class Client:
    """A session that came by WebSocket. Embedded components and the application process are no clients."""

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
        """Whether the session waits for an answer, or has to give one."""
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
    """The number of sessions of each role (0 for an unused role), and the number of all subscriptions."""
    router = component._transport._router
    roles = Counter(dict.fromkeys(router._roles, 0))
    roles.update(str(session._authrole) for session in router._session_id_to_session.values())
    return dict(roles), sum(map(len, router._broker._session_to_subscriptions.values()))


def clients_of(component: Any) -> list[Client]:
    """The clients of the router in which ``component`` is embedded: visitors first, in any order, then backends."""
    router = component._transport._router
    sessions = [
        session for session in router._session_id_to_session.values() if hasattr(session._transport, "sendCloseFrame")
    ]
    random.shuffle(sessions)
    return sorted((Client(router, session) for session in sessions), key=lambda client: client.is_backend)
