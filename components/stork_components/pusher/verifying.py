"""Asks the application about channels of Pusher clients, as the guard asks it about WAMP sessions."""

from collections.abc import Callable, Mapping
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.logger import Logger

from stork_crossbar.component import in_turn
from stork_crossbar.roles import DirectGuard

_log = Logger()


class Verifying:
    """
    Args:
        find_guard: returns the guard of this process; None before it has started.
    """

    def __init__(self, find_guard: Callable[[], DirectGuard | None]) -> None:
        self._find_guard = find_guard

    def ask(self, session: Mapping[str, Any], topic: str, answered: Callable[[bool | None], None]) -> None:
        """
        Ask whether a client may read a topic.

        Args:
            session: the client in WAMP's form: ``{"session", "authid", "authrole", "transport"}``.
            answered: is called with the answer; None: there is none, and the client may try again.
        """
        in_turn(self._ask(session, topic, answered))

    async def _ask(self, session: Mapping[str, Any], topic: str, answered: Callable[[bool | None], None]) -> None:
        guard = self._find_guard()
        try:
            is_allowed = (await guard.authorize(dict(session), topic, "subscribe", {}))["allow"] if guard else None
        except ApplicationError:
            is_allowed = None
        except Exception:
            _log.failure("the application could not be asked about a channel")
            is_allowed = None
        answered(is_allowed)
