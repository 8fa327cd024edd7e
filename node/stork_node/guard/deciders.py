"""Who decides about joins and subscriptions: the application or a backend, or backends alone (a setting)."""

from collections.abc import Callable
from typing import Any

from stork_node.config.settings import names
from stork_node.protocol import uris

JOINS, SUBSCRIPTIONS = "joins", "subscriptions"
_PROCEDURES = {
    JOINS: (uris.APP_AUTH, uris.BACKEND_AUTH),
    SUBSCRIPTIONS: (uris.APP_TOPIC_AUTH, uris.BACKEND_TOPIC_AUTH),
}


def decisions(value: Any) -> tuple[str, ...]:
    """The setting ``backends_decide``: a list of ``joins`` and ``subscriptions``, or one string with commas."""
    found = names(value) if value not in ("", []) else ()
    for each in found:
        if each not in _PROCEDURES:
            raise ValueError(f'{each!r} is nothing that backends decide about (want ["{JOINS}", "{SUBSCRIPTIONS}"])')
    return found


class Deciders:
    """
    Args:
        by_backends: the decisions for which the application is never asked.
        has: whether a procedure is registered now.
    """

    def __init__(self, by_backends: tuple[str, ...], has: Callable[[str], bool]) -> None:
        self._by_backends, self._has = frozenset(by_backends), has

    def application(self, decision: str) -> str:
        """The application's procedure that decides if no backend does; empty: it is not asked."""
        return "" if decision in self._by_backends else _PROCEDURES[decision][0]

    def is_by_backend(self, decision: str) -> bool:
        """Whether a backend decides now, or nobody if it is not there."""
        return decision in self._by_backends or self._has(_PROCEDURES[decision][1])

    def missing(self) -> tuple[str, ...]:
        """For each decision that nobody can make now, the procedure that should be registered."""
        absent = []
        # An application that answers about topics has started. If it decides about no joins, a backend has to.
        has_started = self._has(uris.APP_TOPIC_AUTH)
        for decision, (application, backend) in _PROCEDURES.items():
            if self._has(backend) or (self.application(decision) and self._has(application)):
                continue
            absent.append(application if self.application(decision) and not has_started else backend)
        return tuple(absent)
