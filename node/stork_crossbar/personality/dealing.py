"""Crossbar's dealer, with one change: the cost of ending a call does not grow with the number of open calls."""

from collections.abc import Iterator
from typing import Any

from autobahn.wamp.exception import ApplicationError, ProtocolError
from autobahn.wamp.message import Call, Cancel, Error, Interrupt
from crossbar.router.dealer import Dealer

from stork_crossbar.limits.session_limits import calls_of_gone_sessions, release, undecided_calls
from stork_crossbar.personality.broker import SelfCleaningUriMap
from stork_crossbar.personality.meta_events import GivenUp


class Invocations:
    """The open calls of one session, in place of Crossbar's list, which is searched from the start for each call."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: dict[Any, None] = {}

    def append(self, invocation: Any) -> None:
        self._items[invocation] = None

    def remove(self, invocation: Any) -> None:
        """Remove a call, which may be gone: Crossbar forgets a caller's calls when it leaves, and ends them later."""
        self._items.pop(invocation, None)

    def __contains__(self, invocation: object) -> bool:
        return invocation in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)


class Calls(dict[tuple[int, int], Any]):
    """
    The open calls by caller and request id. Crossbar deletes each at its end.

    A client may give two calls one id. At the end of the second there is nothing to delete; an error there would keep
    the client's session attached.
    """

    def __delitem__(self, key: tuple[int, int]) -> None:
        self.pop(key, None)


def _cancelled(request: int) -> Error:
    return Error(Call.MESSAGE_TYPE, request, ApplicationError.CANCELED, ["the call was cancelled"])


class StorkDealer(Dealer):
    """
    - A session can fail only the calls that were given to it. (Crossbar checks that for results only.)
    - The meta events of registrations that end name the session, and tell of each registration what happened to it.
    - Accepts a client that gives two calls one request id, and one that cancels a call and leaves.
    - A cancelled call is answered at once, and its callee is told. The same goes for a call whose time is over, and for
      the calls of a caller that leaves. (Crossbar does not answer CANCEL if the callee cannot be told.)
    - Such a call stays open until its callee has finished it, as the application still works for it. It counts for its
      session's limit, or for its user if the session is gone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._invocations_by_call = Calls()
        self._registration_map = SelfCleaningUriMap(ordered=True)
        # The ids of calls that were cancelled before the guard had decided them.
        self._cancelled_early: dict[Any, set[int]] = {}

    def detach(self, session: Any) -> None:
        self._cancelled_early.pop(session, None)
        for invocation in list(self._callee_to_invocations.get(session, ())):
            calls_of_gone_sessions.discard(invocation)
            # Its caller has an answer. Crossbar would answer again, which an embedded caller cannot take.
            if invocation.canceled and not invocation.error_msg:
                self._remove_invoke_request(invocation)
        for invocation in self._caller_to_invocations.get(session, ()):
            if invocation.callee is not session:
                self._abandon(invocation)
        # Before the calls that the session had to answer are failed: their callers may ask another one at once.
        given_up = GivenUp(self._router, session, "registration", "on_unregister")
        for registration in list(self._session_to_registrations.get(session, ())):
            self._drop(session, registration, given_up)
        given_up.publish(self._reactor)
        super().detach(session)

    def _unregister(self, registration: Any, session: Any, unregister: Any = None) -> tuple[bool, bool, bool]:
        """``unregister`` is None for ``wamp.registration.remove_callee``, at which Crossbar's own function fails."""
        given_up = GivenUp(self._router, session, "registration", "on_unregister")
        was_registered, was_last = self._drop(session, registration, given_up)
        return was_registered, was_last, given_up.publish(self._reactor)

    def _drop(self, session: Any, registration: Any, given_up: GivenUp) -> tuple[bool, bool]:
        self._session_to_registrations[session].discard(registration)
        was_registered, was_last = self._registration_map.drop_observer(session, registration)
        if was_last:
            self._registration_map.delete_observation(registration)
        if was_registered:
            given_up.add(registration, is_deleted=was_last)
        return was_registered, was_last

    def _abandon(self, invocation: Any) -> None:
        """The caller leaves; the work of its callee still counts."""
        if invocation.timeout_call:
            invocation.timeout_call.cancel()
            invocation.timeout_call = None
        if not invocation.canceled:
            self._interrupt(invocation, Cancel.KILLNOWAIT)
        invocation.canceled, invocation.error_msg = True, None
        invocation.call.args = invocation.call.kwargs = invocation.call.payload = None
        self._caller_to_invocations[invocation.caller].remove(invocation)
        del self._invocations_by_call[invocation.caller_session_id, invocation.call.request]
        calls_of_gone_sessions.add(invocation)

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
        """Tell the callee that the caller has given up. False if the callee cannot be told."""
        callee = (invocation.callee._session_roles or {}).get("callee")
        can_be_told = bool(callee and callee.call_canceling and invocation.callee is not invocation.caller)
        if can_be_told:
            self._router.send(invocation.callee, Interrupt(invocation.id, mode))
        return can_be_told

    def _call(
        self, session: Any, call: Any, registration: Any, authorization: Any, is_queued_call: bool = False
    ) -> Any:
        if session not in self._session_to_registrations:
            return False  # it left before the guard had decided
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
        calls_of_gone_sessions.discard(invocation)
        self._caller_to_invocations.setdefault(caller, Invocations())
        super()._remove_invoke_request(invocation)
        if not self._caller_to_invocations.get(caller, True):
            del self._caller_to_invocations[caller]
        release(caller)
