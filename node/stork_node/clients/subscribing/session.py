"""
One WAMP session without a socket, from HELLO to its end: the core of ``Caller`` and ``Subscriber``.

The shell passes frames to ``receive``, and writes the messages that it gets. ``STEPS`` has the whole life of a session:
the messages that it takes in each state, and the next state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.endings import Ending, abort_ending, goodbye_ending
from stork_node.protocol.wamp_messages import (
    ABORT,
    AUTHENTICATE,
    CALL,
    CHALLENGE,
    ERROR,
    EVENT,
    GOODBYE,
    HELLO,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
    WELCOME,
    decode_message,
    payload,
)

UNUSED_ID = 2**53  # the highest id that WAMP has: no router gives it to a subscription

_FEATURES = {"subscription_revocation": True, "pattern_based_subscription": True}
_ROLES = {"subscriber": {"features": _FEATURES}, "caller": {}}


class State(Enum):
    JOINING = "joining"
    """HELLO is sent."""
    AUTHENTICATING = "authenticating"
    """A CHALLENGE is answered."""
    OPEN = "open"
    LEAVING = "leaving"
    """GOODBYE is sent; the router's answer is open."""
    ENDED = "ended"


STEPS: Mapping[tuple[State, int], State] = {
    (State.JOINING, CHALLENGE): State.AUTHENTICATING,
    (State.JOINING, WELCOME): State.OPEN,
    (State.JOINING, ABORT): State.ENDED,
    (State.AUTHENTICATING, CHALLENGE): State.AUTHENTICATING,
    (State.AUTHENTICATING, WELCOME): State.OPEN,
    (State.AUTHENTICATING, ABORT): State.ENDED,
    (State.OPEN, EVENT): State.OPEN,
    (State.OPEN, RESULT): State.OPEN,
    (State.OPEN, SUBSCRIBED): State.OPEN,
    (State.OPEN, UNSUBSCRIBED): State.OPEN,
    (State.OPEN, ERROR): State.OPEN,
    (State.OPEN, GOODBYE): State.ENDED,
    (State.LEAVING, GOODBYE): State.ENDED,
}

_OF_JOINING = (HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE)


class NotWamp(ValueError):
    """A message that no WAMP router sends. It may hide lost events, so the connection cannot be used any more."""


@dataclass(frozen=True)
class Result:
    """The result of a procedure."""

    args: list[Any]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class WampError:
    """An ERROR: its URI and its arguments. ``text`` is the first argument, if that is a text."""

    uri: str
    args: list[Any]
    kwargs: dict[str, Any]

    @property
    def text(self) -> str:
        return _text(self.args[0] if self.args else "")


Done = Callable[[Any, float], None]
"""Called with an answer (the subscription's id of a SUBSCRIBED, or a ``Result``) and the time."""

Failed = Callable[[WampError, float], None]
"""Called with an ERROR and the time."""


class Listener(Protocol):
    """Gets the events of a session; ``now`` is the time that ``receive`` got."""

    def welcomed(self, now: float) -> None: ...

    def ended(self, ending: Ending, now: float) -> None: ...

    def event(self, wire_id: int, value: Any, position: Any, topic: str | None) -> None: ...

    def revoked(self, wire_id: int, uri: str) -> None: ...


class WampSession:
    """
    Args:
        send: writes a message. If it raises, the request was never made.

    Attributes:
        state: see ``State``.
        id: the session's id, 0 until it has joined; ``authid`` and ``authrole`` as the router gave them.
    """

    def __init__(self, realm: str, credentials: Credentials, send: Callable[[list[Any]], None], on: Listener) -> None:
        self._credentials, self._send, self._on = credentials, send, on
        self._requests: dict[int, tuple[int, Done, Failed]] = {}
        self._last_request = 0
        self.state = State.JOINING
        self.id, self.authid, self.authrole = 0, "", ""
        self._take: Mapping[int, Callable[[list[Any], float], None]] = {
            CHALLENGE: self._challenged,
            WELCOME: self._welcomed,
            ABORT: self._aborted,
            EVENT: self._event,
            RESULT: self._result,
            SUBSCRIBED: self._subscribed,
            UNSUBSCRIBED: self._unsubscribed,
            ERROR: self._error,
            GOODBYE: self._goodbye,
        }
        details: dict[str, Any] = {"roles": _ROLES, "authmethods": [credentials.method]}
        if credentials.authid is not None:
            details["authid"] = credentials.authid
        send([HELLO, realm, details])

    # -- what is asked for

    def subscribe(self, topic: str, match: str, done: Done, failed: Failed = lambda error, now: None) -> int:
        return self._request(SUBSCRIBE, [{} if match == "exact" else {"match": match}, topic], done, failed)

    def unsubscribe(self, wire_id: int) -> int:
        return self._request(UNSUBSCRIBE, [wire_id], lambda value, now: None, lambda error, now: None)

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], done: Done, failed: Failed) -> int:
        return self._request(CALL, [{}, uri, args, kwargs], done, failed)

    def forget(self, request: int) -> None:
        """The caller no longer waits for the answer."""
        self._requests.pop(request, None)

    def probe(self) -> None:
        """Send a request that any router answers by itself and at once: it shows that the connection lives."""
        self.unsubscribe(UNUSED_ID)

    def leave(self) -> None:
        """Send GOODBYE, if the session is open."""
        if self.state is State.OPEN:
            self.state = State.LEAVING
            self._send([GOODBYE, {}, "wamp.close.close_realm"])

    def _request(self, kind: int, rest: list[Any], done: Done, failed: Failed) -> int:
        request = self._last_request + 1
        self._send([kind, request, *rest])
        self._last_request = request
        self._requests[request] = (kind, done, failed)
        return request

    # -- what comes

    def receive(self, frame: str | bytes, now: float) -> None:
        """
        Take one frame.

        Raises:
            NotWamp: not a WAMP message, or one that this state does not have.
        """
        joining = self.state in (State.JOINING, State.AUTHENTICATING)
        try:
            code, *fields = decode_message(frame)
            if (step := self._step(code)) is not None:
                before, self.state = self.state, step
                if before is not State.LEAVING:
                    self._take[code](fields, now)
        except NotWamp:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            sentence = "it answered with something" if joining else "the router sent something"
            raise NotWamp(f"{sentence} that is not WAMP") from error

    def _step(self, code: Any) -> State | None:
        """The state after a message; None if it is ignored."""
        if type(code) is not int:
            raise ValueError(f"{code!r} is not the code of a message")
        step = STEPS.get((self.state, code))
        if step is None and (self.state in (State.JOINING, State.AUTHENTICATING) or code in _OF_JOINING):
            raise ValueError(f"message {code} while {self.state.value}")
        return step  # otherwise it belongs to an unused feature, or to a session that is over

    def _challenged(self, fields: list[Any], now: float) -> None:
        method, extra = fields
        try:
            signature = self._credentials.answer(method, extra)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise NotWamp(f"its CHALLENGE cannot be answered: {error}") from error
        self._send([AUTHENTICATE, signature, {}])

    def _welcomed(self, fields: list[Any], now: float) -> None:
        session_id, details = fields
        if type(session_id) is not int:
            raise ValueError(f"{session_id!r} is not the id of a session")
        self.id, self.authid, self.authrole = session_id, details.get("authid", ""), details.get("authrole", "")
        self._on.welcomed(now)

    def _aborted(self, fields: list[Any], now: float) -> None:
        details, uri = fields
        self._on.ended(abort_ending(_uri(uri), _text(details.get("message"))), now)

    def _goodbye(self, fields: list[Any], now: float) -> None:
        details, uri = fields
        self._on.ended(goodbye_ending(_uri(uri), _text(details.get("message"))), now)
        self._send([GOODBYE, {}, "wamp.close.goodbye_and_out"])

    def _event(self, fields: list[Any], now: float) -> None:
        wire_id, _, details, *rest = fields
        args, kwargs = payload(rest)
        self._on.event(wire_id, args[0] if args else None, kwargs.get("position"), details.get("topic"))

    def _result(self, fields: list[Any], now: float) -> None:
        request, _, *rest = fields
        if answered := self._answered(CALL, request):
            answered[0](Result(*payload(rest)), now)

    def _subscribed(self, fields: list[Any], now: float) -> None:
        request, wire_id, *_ = fields
        if answered := self._answered(SUBSCRIBE, request):
            answered[0](wire_id, now)

    def _unsubscribed(self, fields: list[Any], now: float) -> None:
        request, *rest = fields
        if request == 0:
            self._on.revoked(rest[0]["subscription"], _text(rest[0].get("reason")))
        else:
            self._answered(UNSUBSCRIBE, request)

    def _error(self, fields: list[Any], now: float) -> None:
        kind, request, _, uri, *rest = fields
        if answered := self._answered(kind, request):
            answered[1](WampError(_uri(uri), *payload(rest)), now)

    def _answered(self, kind: int, request: Any) -> tuple[Done, Failed] | None:
        if type(request) is not int:
            raise ValueError(f"{request!r} is not the number of a request")
        if request not in self._requests or self._requests[request][0] != kind:
            return None  # cancelled before, or never made
        _, done, failed = self._requests.pop(request)
        return done, failed


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _uri(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a URI")
    return value
