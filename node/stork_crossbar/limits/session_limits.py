"""Limits of a visitor's session: above one of them its request is refused, or its connection is not read."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autobahn.wamp.message import Call, Error, Subscribe
from twisted.internet import defer, reactor

from stork_crossbar.internals import broadcasting
from stork_crossbar.limits.client_limits import limits, note
from stork_crossbar.limits.insiders import INSIDERS
from stork_node.limits.allowance import Allowance
from stork_node.process_state import singleton
from stork_node.protocol import uris

# Before it has joined, a client gets only short reasons.
_UNJOINED_WAITING_BYTES = 64 * 1024


def refusal(session: Any, message: Any) -> Error | None:
    """The error for a request of a joined session that is above a limit; None otherwise."""
    if session._authrole in INSIDERS:
        return None
    if isinstance(message, Subscribe):
        limit, text = "subscriptions", f"a session has at most {limits().subscriptions:,} subscriptions"
        is_over = _subscriptions(session) >= limits().subscriptions
    elif isinstance(message, Call) and message.procedure != uris.RECOVER:
        limit, text = "calls_in_flight", f"a session has at most {limits().calls_in_flight:,} calls in flight"
        is_over = _calls(session) >= limits().calls_in_flight
        if not is_over and not _may_call_now(session):
            limit, text = "calls_per_second", f"a session has at most {limits().calls_per_second:,} calls a second"
            is_over = True
    else:
        return None
    if not is_over:
        return None
    note(limit, f"session {session._session_id} of {session._authid}")
    return Error(message.MESSAGE_TYPE, message.request, uris.LIMIT, [text])


@dataclass
class _ResumeReading:
    call: Callable[[Any], None] | None = None


def call_when_released(function: Callable[[Any], None]) -> None:
    """Call ``function`` with a session's transport whenever one of the session's open requests has ended."""
    singleton(_ResumeReading).call = function


def release(session: Any) -> None:
    """One open request of ``session`` has its answer."""
    call = singleton(_ResumeReading).call
    if call is not None and session._transport is not None:
        call(session._transport)


def held_by(protocol: Any) -> str | None:
    """
    The limit for which this WebSocket is not read now: its client waits for answers, or does not read them. None: it is
    read.
    """
    if protocol.state != broadcasting.OPEN:
        return None
    session = protocol._session
    role = getattr(session, "_authrole", None)
    if role in INSIDERS:
        return None
    bound = limits().waiting_bytes if role else min(limits().waiting_bytes, _UNJOINED_WAITING_BYTES)
    descriptor = broadcasting.descriptor(protocol)
    if descriptor is not None and broadcasting.waiting_bytes(protocol, descriptor) > bound:
        return "waiting_bytes"
    if getattr(protocol, "open_recoveries", 0) >= limits().recoveries:  # of a Pusher client
        return "recoveries"
    if role is None or session._router is None:
        return None
    if _undecided(session).total >= limits().questions:
        return "questions"
    invocations = _invocations(session)
    if len(invocations) >= limits().recoveries and _recoveries(invocations) >= limits().recoveries:
        return "recoveries"
    return None


class CallsOfGoneSessions:
    """The open calls of callers that have left, by user: their callees still work."""

    def __init__(self) -> None:
        # A session forgets its user when it has left.
        self._users: dict[Any, Any] = {}
        self._counts: Counter[Any] = Counter()

    def add(self, invocation: Any) -> None:
        """The caller of this call is leaving."""
        user = self._users[invocation] = _user(invocation.caller)
        self._counts[user] += 1

    def discard(self, invocation: Any) -> None:
        """The callee has finished this call, which need not be one of these."""
        user = self._users.pop(invocation, None)
        if user is not None:
            self._counts[user] -= 1
            if not self._counts[user]:
                del self._counts[user]

    def count(self, session: Any) -> int:
        """The number of such calls of the user of ``session``."""
        return self._counts[_user(session)]


def _user(session: Any) -> Any:
    return session._realm, session._authrole, session._authid


calls_of_gone_sessions = CallsOfGoneSessions()


class UndecidedRequests:
    """The number of a session's requests that wait for the guard."""

    __slots__ = ("calls", "subscriptions")

    def __init__(self) -> None:
        self.calls = self.subscriptions = 0

    @property
    def total(self) -> int:
        return self.calls + self.subscriptions

    def count(self, action: str, change: int) -> None:
        if action == "call":
            self.calls += change
        else:
            self.subscriptions += change


_NONE = UndecidedRequests()


def count_undecided(session: Any, action: str, decision: "defer.Deferred[Any]") -> None:
    """Count a request of a visitor's session until the guard has decided it."""
    if decision.called or session._authrole in INSIDERS:
        return
    undecided = session.__dict__.setdefault("_stork_undecided", UndecidedRequests())
    undecided.count(action, 1)

    def decided(verdict: Any) -> Any:
        undecided.count(action, -1)
        release(session)
        return verdict

    decision.addBoth(decided)


def _undecided(session: Any) -> UndecidedRequests:
    undecided: UndecidedRequests = getattr(session, "_stork_undecided", _NONE)
    return undecided


def undecided_calls(session: Any) -> int:
    """The number of a session's calls that wait for the guard."""
    return _undecided(session).calls


def _may_call_now(session: Any) -> bool:
    """Counts the call, too."""
    now = reactor.seconds()
    # Most sessions never call.
    allowance = session.__dict__.get("_stork_calls_allowance")
    if allowance is None:
        allowance = session.__dict__["_stork_calls_allowance"] = Allowance(limits().calls_per_second, 1, now)
    return bool(allowance.take(1, now))


def _subscriptions(session: Any) -> int:
    held = session._router._broker._session_to_subscriptions.get(session, ())
    return len(held) + _undecided(session).subscriptions


def _invocations(session: Any) -> Any:
    return session._router._dealer._caller_to_invocations.get(session, ())


def _recoveries(invocations: Any) -> int:
    return sum(1 for each in invocations if each.call.procedure == uris.RECOVER)


def _calls(session: Any) -> int:
    invocations = _invocations(session)
    here = len(invocations) - _recoveries(invocations) + _undecided(session).calls
    return here + calls_of_gone_sessions.count(session)
