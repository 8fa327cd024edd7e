"""Calls the application's ``on_join`` and ``on_leave`` handlers for visitors, each time with the whole session."""

from typing import Any

from autobahn.wamp.exception import ApplicationError, TransportLost
from twisted.internet import reactor, task
from twisted.internet.interfaces import IReactorTime

from stork_components.application_process import ApplicationProcess
from stork_components.old_names import OldComponent
from stork_crossbar.component import Component, in_turn
from stork_node.protocol import uris

# The node's own components and the application's backends are no visitors.
_INTERNAL_ROLES = frozenset({"backend", "trusted", "anonymous"})
COMPARE_S = 60.0


class Visitors:
    """
    Calls ``on_join`` for each session of a visitor, and ``on_leave`` with the same session when it is gone.

    At its start it calls ``on_join`` for all present sessions. It does not know which sessions left before: an
    application with a list clears it in ``on_start``. Every ``COMPARE_S`` seconds it compares its sessions with the
    router's, in case an event was missed.
    """

    def __init__(self, wamp: Component, application: ApplicationProcess, clock: IReactorTime = reactor) -> None:
        self._wamp, self._application, self._clock = wamp, application, clock
        # None while the guard is asked about a session that has just joined.
        self._sessions: dict[int, dict[str, Any] | None] = {}

    async def follow(self) -> None:
        """Begin, if the application has handlers for this."""
        if not self._application.stork.follows_sessions:
            return
        await self._wamp.subscribe(lambda details, **_: in_turn(self._joined(details)), "wamp.session.on_join")
        await self._wamp.subscribe(self._left, "wamp.session.on_leave")
        await self._compare()
        comparing = task.LoopingCall(self._compare)
        comparing.clock = self._clock
        comparing.start(COMPARE_S, now=False)

    async def _compare(self) -> None:
        known = set(self._sessions)
        try:
            present = set(await self._wamp.call("wamp.session.list"))
            for session_id in known - present:
                self._left(session_id)
            for session_id in present - known:
                await self._reconcile(session_id)
        except TransportLost:
            return  # the process is about to end

    async def _reconcile(self, session_id: int) -> None:
        try:
            details = await self._wamp.call("wamp.session.get", session_id)
        except ApplicationError as error:
            if error.error != ApplicationError.NO_SUCH_SESSION:
                raise
            return
        if details:
            await self._joined(details)

    async def _joined(self, details: dict[str, Any]) -> None:
        session_id = details["session"]
        if session_id in self._sessions or details.get("authrole") in _INTERNAL_ROLES:
            return
        self._sessions[session_id] = None
        facts = await self._wamp.call(uris.GUARD_SESSION, session_id)
        session = {**details, **(facts or {})}
        self._application.joined(session)
        if session_id in self._sessions:
            self._sessions[session_id] = session
        else:
            self._application.left(session)

    def _left(self, session_id: int, *_: Any, **__: Any) -> None:
        session = self._sessions.pop(session_id, None)
        if session:
            self._application.left(session)


class Meta(OldComponent):
    async def serve(self, application: ApplicationProcess) -> None:
        await Visitors(self, application).follow()
