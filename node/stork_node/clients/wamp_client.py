"""
A synchronous WAMP session over a WebSocket, in JSON: the shell of ``subscribing.session`` for ``Caller``.

Any number of threads may call; one thread of the session reads. A session that has ended does not come back.
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, NoReturn, Self

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.endings import Ending
from stork_node.clients.subscribing.session import Done, Failed, NotWamp, Result, State, WampError, WampSession
from stork_node.clients.wamp_connection import closing, connect_wamp
from stork_node.errors import CallError, ConnectionRefused, StorkError

Answer = Future[Any]
"""The value of a ``Done``, a ``WampError``, or None if the session ended before."""


class SessionEnded(StorkError):
    """Nothing was sent: the session had ended."""


class NotAnswered(StorkError):
    """A call was sent, and no answer came (``cause``): the procedure may have run, or not."""

    def __init__(self, uri: str, cause: str) -> None:
        super().__init__(f"no answer to the call of {uri}: {cause}; it may have run, or not")
        self.uri, self.cause = uri, cause


class _End:
    """Keeps how the router ended a session; ignores events."""

    ending: Ending | None = None

    def welcomed(self, now: float) -> None: ...

    def ended(self, ending: Ending, now: float) -> None:
        self.ending = ending

    def event(self, wire_id: int, value: Any, position: Any, topic: str | None) -> None: ...

    def revoked(self, wire_id: int, uri: str) -> None: ...


class WampConnection:
    """
    A joined session.

    Attributes:
        id: the session's id in WAMP; ``authid`` and ``authrole`` as the router gave them.
        ending: the reason why the session has ended, in one phrase; empty while it lives.

    Raises:
        ConnectionRefused: there is no router, or it refuses the session; ``reason`` is the URI of its ABORT.
        ConfigError: the package ``websockets`` is missing (``stork-node[caller]``).
    """

    def __init__(self, url: str, credentials: Credentials, *, realm: str = "realm1", timeout_s: float = 5.0) -> None:
        self.url, self.ending = url, ""
        self._lock = threading.Lock()  # for the core: requests must leave in the order of their ids
        self._waiting: set[Answer] = set()
        self._end_of_router = _End()
        deadline = time.monotonic() + timeout_s
        self._connection = connect_wamp(url, timeout_s)
        try:
            self._core = self._join(realm, credentials, deadline)
        except BaseException:
            self._connection.close()
            raise
        self.id, self.authid, self.authrole = self._core.id, self._core.authid, self._core.authrole
        threading.Thread(target=self._read, name="stork-wamp", daemon=True).start()

    def call(self, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout_s: float) -> Result:
        """
        Call a procedure.

        Raises:
            CallError: the router or the procedure answered with this error.
            NotAnswered: no answer within ``timeout_s``, or the session ended meanwhile.
            SessionEnded: nothing was sent.
        """

        def request(done: Done, failed: Failed) -> int:
            return self._core.call(uri, list(args), dict(kwargs), done, failed)

        result: Result = self._ask(request, uri, timeout_s)
        return result

    def subscribe(self, topic: str, match: str = "exact", timeout_s: float = 5.0) -> None:
        """
        Subscribe, so that ``recover`` answers for ``topic``; events are ignored.

        Raises:
            CallError: the router refused, with its reason as ``uri``.
        """
        self._ask(lambda done, failed: self._core.subscribe(topic, match, done, failed), topic, timeout_s)

    def close(self) -> None:
        """Send GOODBYE, and end the connection."""
        from websockets.exceptions import ConnectionClosed

        if self._end("closed by this side"):
            with self._lock, suppress(ConnectionClosed):
                self._core.leave()
        self._connection.close()

    def abandon(self) -> None:
        """In the child after a fork: drop the connection without a word. It stays the parent's."""
        self._connection.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- joining

    def _join(self, realm: str, credentials: Credentials, deadline: float) -> WampSession:
        from websockets.exceptions import ConnectionClosed

        try:
            core = WampSession(realm, credentials, self._write, self._end_of_router)
            while core.state in (State.JOINING, State.AUTHENTICATING):
                frame = self._connection.recv(timeout=max(0.0, deadline - time.monotonic()))
                core.receive(frame, time.monotonic())
        except TimeoutError:
            self._refuse("it did not let the session in, or refuse it, in time")
        except ConnectionClosed as error:
            self._refuse(closing(error))
        except NotWamp as error:
            self._refuse(str(error))
        if ending := self._end_of_router.ending:
            self._refuse(f"{ending.text} ({ending.uri})" if ending.text else ending.uri, ending.uri)
        return core

    def _refuse(self, cause: str, reason: str = "") -> NoReturn:
        raise ConnectionRefused(self.url, cause, reason) from None

    def _write(self, message: list[Any]) -> None:
        self._connection.send(json.dumps(message, allow_nan=False))

    # -- requests

    def _ask(self, request: Any, uri: str, timeout_s: float) -> Any:
        from websockets.exceptions import ConnectionClosed

        answer: Answer = Future()

        def answered(value: Any, now: float) -> None:
            answer.set_result(value)

        with self._lock:
            if self.ending:
                raise SessionEnded(f"the session with {self.url} has ended: {self.ending}")
            try:
                number = request(answered, answered)
            except ConnectionClosed as error:
                raise SessionEnded(f"the session with {self.url} has ended: {closing(error)}") from None
            self._waiting.add(answer)
        try:
            value = answer.result(timeout_s)
        except FutureTimeout:
            self._core.forget(number)
            raise NotAnswered(uri, f"none within {round(timeout_s, 2):g} s") from None
        finally:
            self._waiting.discard(answer)
        if value is None:
            raise NotAnswered(uri, self.ending)
        if isinstance(value, WampError):
            raise _call_error(value)
        return value

    # -- reading

    def _read(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            while self._core.state is State.OPEN:
                frame = self._connection.recv()
                with self._lock:
                    self._core.receive(frame, time.monotonic())
                    if ending := self._end_of_router.ending:
                        self.ending = self.ending or f"the router said goodbye ({ending.uri})"
        except ConnectionClosed as error:
            cause = closing(error)
        except NotWamp as error:
            cause = str(error)
        else:
            cause = "closed by this side"
        self._end(cause)
        self._connection.close()
        for answer in self._waiting.copy():
            if not answer.done():
                answer.set_result(None)

    def _end(self, cause: str) -> bool:
        with self._lock:
            first, self.ending = not self.ending, self.ending or cause
        return first


def _call_error(error: WampError) -> CallError:
    message, rest = ("", error.args)
    if error.args and isinstance(error.args[0], str):
        message, *rest = error.args
    found = CallError(error.uri, message, *rest)
    found.details = error.kwargs  # not as keywords: an error may have one that is called "message"
    return found
