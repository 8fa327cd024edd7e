"""One WAMP session, from HELLO to its end, without a socket."""

from collections.abc import Callable
from typing import Any, Protocol

from stork_node.clients.subscribing.endings import Ending, abort_ending, goodbye_ending
from stork_node.clients.wamp_client import Credentials
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

Done = Callable[[Any, float], None]
"""Told of an answer: the subscription's id of a SUBSCRIBED, the first result of a RESULT; and the time."""

Failed = Callable[[str, str, float], None]
"""Told of an ERROR: its URI, its text, and the time."""


class Listener(Protocol):
    """Who is told what happens in a session; ``now`` is the time that ``receive`` was given."""

    def welcomed(self, now: float) -> None: ...

    def ended(self, ending: Ending, now: float) -> None: ...

    def event(self, wire_id: int, value: Any, position: Any, topic: str | None) -> None: ...

    def revoked(self, wire_id: int, uri: str) -> None: ...


class WampSession:
    """``send`` writes a message; ``id`` is the session's, 0 until it has joined."""

    def __init__(self, realm: str, credentials: Credentials, send: Callable[[list[Any]], None], on: Listener) -> None:
        self._credentials, self._send, self._on = credentials, send, on
        self._requests: dict[int, tuple[int, Done, Failed]] = {}
        self._last_request = 0
        self.id = 0
        details: dict[str, Any] = {"roles": _ROLES, "authmethods": [credentials.method]}
        if credentials.authid is not None:
            details["authid"] = credentials.authid
        send([HELLO, realm, details])

    def subscribe(self, topic: str, match: str, done: Done, failed: Failed = lambda uri, text, now: None) -> None:
        self._request(SUBSCRIBE, [{} if match == "exact" else {"match": match}, topic], done, failed)

    def unsubscribe(self, wire_id: int) -> None:
        self._request(UNSUBSCRIBE, [wire_id], lambda value, now: None, lambda uri, text, now: None)

    def call(self, uri: str, argument: Any, done: Done, failed: Failed) -> None:
        self._request(CALL, [{}, uri, [argument], {}], done, failed)

    def probe(self) -> None:
        """A question that any router answers, by itself and at once: shows that the connection lives."""
        self.unsubscribe(UNUSED_ID)

    def leave(self) -> None:
        self._send([GOODBYE, {}, "wamp.close.close_realm"])

    def receive(self, text: str | bytes, now: float) -> None:
        """
        Take one frame.

        Raises:
            ValueError, TypeError, LookupError, AttributeError, RecursionError: what no WAMP router sends.
        """
        message = decode_message(text)
        if self.id:
            self._take(message, now)
        else:
            self._join(message, now)

    def _join(self, message: list[Any], now: float) -> None:
        match message:
            case [4, str(method), dict(extra)]:
                self._send([AUTHENTICATE, self._credentials.answer(method, extra), {}])
            case [2, int(session), dict()]:
                self.id = session
                self._on.welcomed(now)
            case [3, dict(details), str(uri)]:
                self._on.ended(abort_ending(uri, _text(details.get("message"))), now)
            case _:
                raise ValueError("it answered with something that is not WAMP")

    def _take(self, message: list[Any], now: float) -> None:
        code, *rest = message
        if code == EVENT:
            wire_id, _, details, *fields = rest
            args, kwargs = payload(fields)
            self._on.event(wire_id, args[0] if args else None, kwargs.get("position"), details.get("topic"))
        elif code == RESULT:
            args, _ = payload(rest[2:])
            self._answered(rest[0], CALL, args[0] if args else None, now)
        elif code == SUBSCRIBED:
            self._answered(rest[0], SUBSCRIBE, rest[1], now)
        elif code == ERROR:
            self._failed(rest, now)
        elif code == UNSUBSCRIBED and rest[0] == 0:
            self._on.revoked(rest[1]["subscription"], _text(rest[1].get("reason")))
        elif code == UNSUBSCRIBED:
            self._requests.pop(rest[0], None)
        elif code == GOODBYE:
            details, uri = rest
            self._on.ended(goodbye_ending(uri, _text(details.get("message"))), now)
            self._send([GOODBYE, {}, "wamp.close.goodbye_and_out"])
        elif code in (WELCOME, ABORT, CHALLENGE) or not isinstance(code, int):
            raise ValueError(f"message {code} in a session")

    def _request(self, kind: int, rest: list[Any], done: Done, failed: Failed) -> None:
        self._last_request += 1
        self._requests[self._last_request] = (kind, done, failed)
        self._send([kind, self._last_request, *rest])

    def _answered(self, request: int, kind: int, value: Any, now: float) -> None:
        if request in self._requests and self._requests[request][0] == kind:
            self._requests.pop(request)[1](value, now)

    def _failed(self, rest: list[Any], now: float) -> None:
        kind, request, _, uri, *fields = rest
        args, _ = payload(fields)
        if request in self._requests and self._requests[request][0] == kind:
            self._requests.pop(request)[2](uri, _text(args[0] if args else ""), now)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
