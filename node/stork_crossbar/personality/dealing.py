"""The dealer: Crossbar's, with ends of calls whose cost does not grow with the number of calls in flight."""

from collections.abc import Iterator
from typing import Any

from autobahn.wamp.exception import ApplicationError, ProtocolError
from autobahn.wamp.message import Call, Cancel, Error, Interrupt
from crossbar.router.dealer import Dealer

from stork_crossbar.connections.session_limits import release
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


class StorkDealer(Dealer):
    """
    - A session fails only the calls that it was asked to answer. (Crossbar checks that of results alone.)
    - Forgives a client that gives two calls one request id, and one that cancels a call and leaves.
    - A call whose time is over stays in flight until its callee is done with it, as one that is cancelled does: it is
      work of the application's, and counts among what its session may have.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._invocations_by_call = Calls()
        self._registration_map = Observations(ordered=True)

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
        callee = (invocation.callee._session_roles or {}).get("callee")
        if callee and callee.call_canceling:
            self._router.send(invocation.callee, Interrupt(invocation.id, Cancel.KILLNOWAIT))

    def _remove_invoke_request(self, invocation: Any) -> None:
        caller = invocation.caller
        self._caller_to_invocations.setdefault(caller, Invocations())
        super()._remove_invoke_request(invocation)
        if not self._caller_to_invocations.get(caller, True):
            del self._caller_to_invocations[caller]
        release(caller)
