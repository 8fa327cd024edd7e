"""The dealer: Crossbar's, with ends of calls whose cost does not grow with the number of calls in flight."""

from collections.abc import Iterator
from typing import Any

from autobahn.wamp.exception import ApplicationError, ProtocolError
from autobahn.wamp.message import Call, Cancel, Error, Interrupt
from crossbar.router.dealer import Dealer

from stork_crossbar.connections.session_limits import orphans, release, undecided_calls
from stork_crossbar.personality.observing import Observations


class Invocations:
    """The calls in flight of one session, in place of Crossbar's list, in which each is looked for from the start."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: dict[Any, None] = {}

    def append(self, invocation: Any) -> None:
        self._items[invocation] = None

    def remove(self, invocation: Any) -> None:
        """Also where it is not there: Crossbar forgets a caller's calls when it leaves, and ends them later."""
        self._items.pop(invocation, None)

    def __contains__(self, invocation: object) -> bool:
        return invocation in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)


class Calls(dict[tuple[int, int], Any]):
    """
    The calls in flight by caller and request id, of which Crossbar deletes each at its end.

    A client may give two of them one id: at the second's end there is nothing to delete, which would keep the client's
    session from being detached.
    """

    def __delitem__(self, key: tuple[int, int]) -> None:
        self.pop(key, None)


def _cancelled(request: int) -> Error:
    return Error(Call.MESSAGE_TYPE, request, ApplicationError.CANCELED, ["the call was cancelled"])


class StorkDealer(Dealer):
    """
    - A session fails only the calls that it was asked to answer. (Crossbar checks that of results alone.)
    - Forgives a client that gives two calls one request id, and one that cancels a call and leaves.
    - A call that is cancelled is answered at once, and its callee is told. The same goes for one whose time is over,
      and for those of a caller that leaves. (Crossbar answers no CANCEL where the callee cannot be told.)
    - Such a call stays in flight until its callee is done with it: it is work of the application's. It counts among
      what its session may have, or its user, where the session is gone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._invocations_by_call = Calls()
        self._registration_map = Observations(ordered=True)
        # The ids of calls that were cancelled before it was decided whether they may be made.
        self._cancelled_early: dict[Any, set[int]] = {}

    def detach(self, session: Any) -> None:
        self._cancelled_early.pop(session, None)
        for invocation in list(self._callee_to_invocations.get(session, ())):
            orphans.discard(invocation)
            # Its caller has been answered. Crossbar would answer again, and an embedded caller cannot take that.
            if invocation.canceled and not invocation.error_msg:
                self._remove_invoke_request(invocation)
        for invocation in self._caller_to_invocations.get(session, ()):
            if invocation.callee is not session:
                self._abandon(invocation)
        super().detach(session)

    def _abandon(self, invocation: Any) -> None:
        """The caller leaves; what its callee still does for it is counted on."""
        if invocation.timeout_call:
            invocation.timeout_call.cancel()
            invocation.timeout_call = None
        if not invocation.canceled:
            self._interrupt(invocation, Cancel.KILLNOWAIT)
        invocation.canceled, invocation.error_msg = True, None
        invocation.call.args = invocation.call.kwargs = invocation.call.payload = None
        self._caller_to_invocations[invocation.caller].remove(invocation)
        del self._invocations_by_call[invocation.caller_session_id, invocation.call.request]
        orphans.add(invocation)

    def processCancel(self, session: Any, cancel: Any) -> None:
        invocation = self._invocations_by_call.get((session._session_id, cancel.request))
        if invocation is None:
            early = self._cancelled_early.setdefault(session, set())
            if len(early) < undecided_calls(session):
                early.add(cancel.request)
        elif not invocation.canceled:
            self._cancel(invocation, cancel.mode or Cancel.KILLNOWAIT)

    def _cancel(self, invocation: Any, mode: str) -> None:
        invocation.canceled = True
        is_told = mode != Cancel.SKIP and self._interrupt(invocation, mode)
        if is_told and mode == Cancel.KILL:
            invocation.error_msg = _cancelled(invocation.call.request)  # sent when the callee has answered
        else:
            self._router.send(invocation.caller, _cancelled(invocation.call.request))

    def _interrupt(self, invocation: Any, mode: str) -> bool:
        """Tell the callee that nobody waits any more. False where it cannot be told."""
        callee = (invocation.callee._session_roles or {}).get("callee")
        can_be_told = bool(callee and callee.call_canceling and invocation.callee is not invocation.caller)
        if can_be_told:
            self._router.send(invocation.callee, Interrupt(invocation.id, mode))
        return can_be_told

    def _call(
        self, session: Any, call: Any, registration: Any, authorization: Any, is_queued_call: bool = False
    ) -> Any:
        if session not in self._session_to_registrations:
            return False  # it has left while it was decided whether it may
        early = self._cancelled_early.get(session, set())
        if call.request in early:
            early.discard(call.request)
            self._router.send(session, _cancelled(call.request))
            return False
        return super()._call(session, call, registration, authorization, is_queued_call)

    def processInvocationError(self, session: Any, error: Any) -> None:
        invocation = self._invocations.get(error.request)
        if invocation is not None and invocation.callee is not session:
            raise ProtocolError("an ERROR for an invocation of another session")
        super().processInvocationError(session, error)

    def _add_invoke_request(
        self,
        invocation_request_id: int,
        registration: Any,
        session: Any,
        call: Any,
        callee: Any,
        forward_for: Any,
        authorization: Any,
        timeout: Any = None,
    ) -> Any:
        self._callee_to_invocations.setdefault(callee, Invocations())
        self._caller_to_invocations.setdefault(session, Invocations())
        invocation = super()._add_invoke_request(
            invocation_request_id, registration, session, call, callee, forward_for, authorization
        )
        if timeout:
            invocation.timeout_call = self._cancel_timers.call_later(timeout, self._expire, invocation)
        return invocation

    def _expire(self, invocation: Any) -> None:
        invocation.timeout_call = None
        if invocation.canceled:
            return
        invocation.canceled = True
        texts = ["timeout reached"]
        self._router.send(
            invocation.caller, Error(Call.MESSAGE_TYPE, invocation.call.request, ApplicationError.CANCELED, texts)
        )
        self._interrupt(invocation, Cancel.KILLNOWAIT)

    def _remove_invoke_request(self, invocation: Any) -> None:
        caller = invocation.caller
        orphans.discard(invocation)
        self._caller_to_invocations.setdefault(caller, Invocations())
        super()._remove_invoke_request(invocation)
        if not self._caller_to_invocations.get(caller, True):
            del self._caller_to_invocations[caller]
        release(caller)
