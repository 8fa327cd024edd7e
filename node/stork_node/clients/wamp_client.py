"""
A synchronous WAMP session over a WebSocket, in JSON: caller and subscriber, by ticket, WAMP-CRA or anonymous.

Any number of threads may call; one thread of the session's own reads. A session that has ended does not come back.
"""

import base64
import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from stork_node.clients.wamp_connection import closing, connect_wamp
from stork_node.errors import CallError, ConnectionRefused, StorkError
from stork_node.protocol.wamp_messages import (
    AUTHENTICATE,
    CALL,
    ERROR,
    GOODBYE,
    HELLO,
    SUBSCRIBE,
    SUBSCRIBED,
    decode_message,
    payload,
)

_ROLES = {"caller": {}, "subscriber": {"features": {"pattern_based_subscription": True}}}


class SessionEnded(StorkError):
    """Nothing was sent: the session had ended before."""


class NotAnswered(StorkError):
    """A call was sent, and no answer came (``cause``): the procedure may have run, or not."""

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(f"no answer to the call of {uri}: {cause}; it may have run, or not")
        self.uri, self.cause = uri, cause


@dataclass(frozen=True)
class Credentials:
    """What a session shows at the door: a ticket, else the secret of WAMP-CRA, else nothing."""

    authid: str | None = None
    ticket: str | None = None
    secret: str | None = None

    @property
    def method(self) -> str:
        return "ticket" if self.ticket is not None else "wampcra" if self.secret is not None else "anonymous"

    def answer(self, method: str, extra: Mapping[str, Any]) -> str:
        """The signature of AUTHENTICATE for a CHALLENGE; ``extra`` may ask for a salted secret (PBKDF2)."""
        if method == "ticket" and self.ticket is not None:
            return self.ticket
        if method != "wampcra" or self.secret is None:
            raise ValueError(f"asked for {method}, which was not offered")
        key = self.secret.encode()
        if extra.get("salt"):
            salt, rounds, length = extra["salt"].encode(), extra.get("iterations", 1000), extra.get("keylen", 32)
            key = base64.b64encode(hashlib.pbkdf2_hmac("sha256", key, salt, rounds, length))
        return base64.b64encode(hmac.digest(key, extra["challenge"].encode(), "sha256")).decode()


@dataclass(frozen=True)
class Event:
    """One EVENT; ``topic`` is the topic it was published to, also under a pattern."""

    topic: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


class Session:
    """
    A joined session.

    Attributes:
        id: the session's id in WAMP; ``authid`` and ``authrole`` as the router gave them.
        ending: why the session has ended, in one phrase; empty while it lives.

    Raises:
        ConnectionRefused: no router there, or it refuses the session; ``reason`` is the URI of its ABORT.
        ConfigError: the package ``websockets`` is missing (``stork-node[caller]``).
    """

    def __init__(self, url: str, credentials: Credentials, *, realm: str = "realm1", timeout_s: float = 5.0) -> None:
        self.url, self.ending = url, ""
        deadline = time.monotonic() + timeout_s
        self._connection = connect_wamp(url, timeout_s)
        try:
            welcome = self._join(realm, credentials, deadline)
        except BaseException:
            self._connection.close()
            raise
        self.id, details = welcome[1], welcome[2]
        self.authid, self.authrole = details.get("authid", ""), details.get("authrole", "")
        self._lock = threading.Lock()
        self._requests = 0
        self._waiting: dict[int, Future[list[Any]]] = {}
        self._topics: dict[int, str] = {}
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="stork-wamp", daemon=True).start()

    def call(self, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout_s: float) -> list[Any]:
        """
        Call a procedure.

        Returns:
            The RESULT message: ``[50, request, details, args?, kwargs?]``.

        Raises:
            CallError: the router or the procedure answered with this error.
            NotAnswered: no answer within ``timeout_s``, or the session ended meanwhile.
            SessionEnded: nothing was sent.
        """
        request, answer = self._send(CALL, {}, uri, list(args), dict(kwargs))
        return self._wait(request, answer, uri, timeout_s)

    def subscribe(self, topic: str, match: str = "exact", timeout_s: float = 5.0) -> None:
        """
        Subscribe; from then on ``events`` has what is published to it. ``match``: exact, prefix or wildcard.

        Raises:
            CallError: the router refused, with its reason as ``uri``.
        """
        request, answer = self._send(SUBSCRIBE, {"match": match}, topic)
        self._wait(request, answer, topic, timeout_s)

    def events(self) -> Iterator[Event]:
        """Events of all subscriptions as they come; ends when the session ends."""
        while (event := self._events.get()) is not None:
            yield event

    def close(self) -> None:
        """Say GOODBYE, and end the connection."""
        if self._end("closed by this side"):
            self._try_to_send([GOODBYE, {}, "wamp.close.normal"])
        self._connection.close()

    def abandon(self) -> None:
        """After a fork, in the child: give up the connection, which stays the parent's, without a word on it."""
        self._connection.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- joining

    def _join(self, realm: str, credentials: Credentials, deadline: float) -> list[Any]:
        hello = {"roles": _ROLES, "authmethods": [credentials.method]}
        if credentials.authid is not None:
            hello["authid"] = credentials.authid
        self._send_message([HELLO, realm, hello])
        while True:
            message = self._receive(deadline)
            match message:
                case [4, str(method), dict(extra)]:
                    try:
                        signature = credentials.answer(method, extra)
                    except (ValueError, KeyError, TypeError, AttributeError) as error:
                        self._refuse(f"its CHALLENGE cannot be answered: {error}")
                    self._send_message([AUTHENTICATE, signature, {}])
                case [2, int(), dict()]:
                    return message
                case [3, dict(details), str(reason)]:
                    text = details.get("message")
                    self._refuse(f"{text} ({reason})" if text else reason, reason)
                case _:
                    self._refuse("it answered with something that is not WAMP")

    def _receive(self, deadline: float) -> list[Any]:
        from websockets.exceptions import ConnectionClosed

        try:
            return decode_message(self._connection.recv(timeout=max(0.0, deadline - time.monotonic())))
        except TimeoutError:
            self._refuse("it did not let the session in, or refuse it, in time")
        except ConnectionClosed as error:
            self._refuse(closing(error))
        except ValueError:
            self._refuse("it answered with something that is not WAMP")

    def _refuse(self, cause: str, reason: str = "") -> NoReturn:
        raise ConnectionRefused(self.url, cause, reason)

    # -- requests

    def _send(self, code: int, *fields: Any) -> tuple[int, "Future[list[Any]]"]:
        from websockets.exceptions import ConnectionClosed

        answer: Future[list[Any]] = Future()
        with self._lock:  # ids must arrive in their order
            if self.ending:
                raise SessionEnded(f"the session with {self.url} has ended: {self.ending}")
            request = self._requests + 1
            text = json.dumps([code, request, *fields], allow_nan=False)
            self._requests = request
            if code == SUBSCRIBE:
                answer.add_done_callback(lambda done: self._note_topic(done, fields[-1]))
            self._waiting[request] = answer
            try:
                self._connection.send(text)
            except ConnectionClosed as error:
                del self._waiting[request]
                raise SessionEnded(f"the session with {self.url} has ended: {closing(error)}") from None
        return request, answer

    def _wait(self, request: int, answer: "Future[list[Any]]", uri: str, timeout_s: float) -> list[Any]:
        try:
            message = answer.result(timeout_s)
        except FutureTimeout:
            self._waiting.pop(request, None)
            raise NotAnswered(uri, f"none within {round(timeout_s, 2):g} s") from None
        if not message:
            raise NotAnswered(uri, self.ending)
        if message[0] == ERROR:
            raise _error(*message[4:])
        return message

    def _note_topic(self, answer: "Future[list[Any]]", topic: str) -> None:
        # In the reader's thread, so that it is known before the next EVENT is read.
        if (message := answer.result()) and message[0] == SUBSCRIBED:
            self._topics[message[2]] = topic

    # -- reading

    def _read(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            while not self.ending:
                self._take(decode_message(self._connection.recv()))
        except ConnectionClosed as error:
            self._end(closing(error))
        except (ValueError, LookupError, TypeError):
            self._end("the router sent something that is not WAMP")
        self._connection.close()
        for answer in list(self._waiting.values()):
            answer.set_result([])
        self._waiting.clear()
        self._events.put(None)

    def _take(self, message: list[Any]) -> None:
        match message:
            case [36, int(subscription), _, dict(details), *rest]:
                topic = details.get("topic") or self._topics[subscription]
                self._events.put(Event(topic, *payload(rest)))
            case [50 | 33, int(request), *_] | [8, _, int(request), *_]:
                if answer := self._waiting.pop(request, None):
                    answer.set_result(message)
            case [6, dict(), str(reason)]:
                if self._end(f"the router said goodbye ({reason})"):
                    self._try_to_send([GOODBYE, {}, "wamp.close.goodbye_and_out"])
            case _:
                raise ValueError(message)

    def _end(self, cause: str) -> bool:
        with self._lock:
            first, self.ending = not self.ending, self.ending or cause
        return first

    def _send_message(self, message: list[Any]) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            self._connection.send(json.dumps(message))
        except ConnectionClosed as error:
            self._refuse(closing(error))

    def _try_to_send(self, message: list[Any]) -> None:
        try:
            self._send_message(message)
        except ConnectionRefused:
            return


def _error(uri: str, *fields: Any) -> CallError:
    args, kwargs = payload(fields)
    message, rest = (args[0], args[1:]) if args and isinstance(args[0], str) else ("", args)
    error = CallError(uri, message, *rest)
    error.details = kwargs  # not as keywords: an error may well have one that is called "message"
    return error
