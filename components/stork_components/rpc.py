"""rpc, in the application process: registers the procedures that the application declares."""

from collections import OrderedDict
from typing import Any

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.message import Interrupt, Invocation
from autobahn.wamp.types import CallDetails, ComponentConfig, RegisterOptions
from twisted.internet import defer

from stork_components import running
from stork_components.application import ApplicationSettings, run_application
from stork_components.component import Component, in_turn
from stork_node import uris
from stork_node.hopping import Interruption

# Callers whose sessions are remembered; a session id is never given twice.
_REMEMBERED_SESSIONS = 10_000


class Rpc(Component):
    Settings = ApplicationSettings
    settings: ApplicationSettings
    can_be_interrupted = True

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        self._invocation = 0
        self._interruptions: dict[int, Interruption] = {}

    def onMessage(self, msg: Any) -> None:
        if isinstance(msg, Interrupt):
            # autobahn would answer at once, and the router would count a call no more whose handler still runs.
            if interruption := self._interruptions.get(msg.request):
                interruption.ask()
            return
        if isinstance(msg, Invocation):
            self._invocation = msg.request
        super().onMessage(msg)

    async def start(self) -> None:
        self._sessions: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._application = await run_application(self.settings)
        for procedure in self._application.stork.procedures:
            invoke = procedure.invoke
            if invoke == "single":
                await self._refuse_if_taken(procedure.uri)
                # As the router knows it: the next release of the application registers while this one still answers.
                invoke = "last"
            options = RegisterOptions(invoke=invoke, details_arg="details")
            await self.register(self._endpoint(procedure.uri), procedure.uri, options)

    async def _refuse_if_taken(self, uri: str) -> None:
        """What the router does for ``single``; the process that this one takes over from is in nobody's way."""
        registration_id = await self.call("wamp.registration.lookup", uri)
        callees = await self.call("wamp.registration.list_callees", registration_id) if registration_id else []
        if not running.predecessors.issuperset(callees):
            text = f"register for already registered procedure '{uri}'"
            raise ApplicationError(ApplicationError.PROCEDURE_ALREADY_EXISTS, text)

    def _endpoint(self, uri: str) -> Any:
        def endpoint(*args: Any, details: CallDetails, **kwargs: Any) -> "defer.Deferred[Any]":
            # Called within onMessage, so that this is the invocation of now.
            invocation, interruption = self._invocation, Interruption()
            self._interruptions[invocation] = interruption

            def end(result: Any) -> Any:
                self._interruptions.pop(invocation, None)
                return result

            return in_turn(self._answer(uri, args, kwargs, details, interruption)).addBoth(end)

        return endpoint

    async def _answer(
        self,
        uri: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        details: CallDetails,
        interruption: Interruption,
    ) -> Any:
        session = await self._session(details)
        return await self._application.call(uri, args, kwargs, session, interruption)

    async def _session(self, details: CallDetails) -> dict[str, Any]:
        """The caller's session, with what the application said of it when it joined."""
        known = self._sessions.get(details.caller)
        if known:
            self._sessions.move_to_end(details.caller)
            return known
        facts = await self.call(uris.GUARD_SESSION, details.caller) if details.caller else None
        session = {
            "session": details.caller,
            "authid": details.caller_authid,
            "authrole": details.caller_authrole,
            **(facts or {}),
        }
        self._sessions[details.caller] = session
        if len(self._sessions) > _REMEMBERED_SESSIONS:
            self._sessions.popitem(last=False)
        return session
