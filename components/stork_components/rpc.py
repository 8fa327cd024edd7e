"""The application's procedures: registers them, and answers their calls."""

from collections import OrderedDict
from typing import Any

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallDetails, RegisterOptions
from twisted.internet import defer

from stork_components.application_process import ApplicationProcess
from stork_components.old_names import OldComponent
from stork_crossbar import registry
from stork_crossbar.component import in_turn
from stork_crossbar.interruptions import InterruptibleComponent
from stork_node.application.running.thread_switching import Interruption
from stork_node.protocol import uris

# Maximum of remembered callers; a session id is never given twice.
_REMEMBERED_SESSIONS = 10_000


class Procedures:
    """
    Args:
        wamp: the session that registers them.
        application: declares the procedures, and runs them.
    """

    def __init__(self, wamp: InterruptibleComponent, application: ApplicationProcess) -> None:
        self._wamp, self._application = wamp, application
        self._sessions: OrderedDict[int, dict[str, Any]] = OrderedDict()

    async def register(self) -> None:
        """Register all procedures."""
        for procedure in self._application.stork.procedures:
            invoke = procedure.invoke
            if invoke == "single":
                await self._refuse_if_taken(procedure.uri)
                # The router's own form: the next release of the application registers while this one still answers.
                invoke = "last"
            options = RegisterOptions(invoke=invoke, details_arg="details")
            await self._wamp.register(self._endpoint(procedure.uri), procedure.uri, options)

    async def _refuse_if_taken(self, uri: str) -> None:
        """
        Raise the router's own error for ``single``, unless the process that this one replaces has the registration.
        """
        registration_id = await self._wamp.call("wamp.registration.lookup", uri)
        callees = await self._wamp.call("wamp.registration.list_callees", registration_id) if registration_id else []
        if not registry.predecessors().issuperset(callees):
            text = f"register for already registered procedure '{uri}'"
            raise ApplicationError(ApplicationError.PROCEDURE_ALREADY_EXISTS, text)

    def _endpoint(self, uri: str) -> Any:
        def endpoint(*args: Any, details: CallDetails, **kwargs: Any) -> "defer.Deferred[Any]":
            invocation, interruption = self._wamp.begin_invocation()

            def end(result: Any) -> Any:
                self._wamp.end_invocation(invocation)
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
        """The caller's session, with the application's data from the join."""
        known = self._sessions.get(details.caller)
        if known:
            self._sessions.move_to_end(details.caller)
            return known
        facts = await self._wamp.call(uris.GUARD_SESSION, details.caller) if details.caller else None
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


class Rpc(OldComponent):
    async def serve(self, application: ApplicationProcess) -> None:
        await Procedures(self, application).register()
