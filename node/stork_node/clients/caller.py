"""Call WAMP procedures from a backend in plain Python: no event loop, no Twisted."""

import json
import os
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.session import Result
from stork_node.clients.wamp_client import SessionEnded, WampConnection
from stork_node.errors import CallError

NOT_JSON = "io.virge.stork.error.not_json"


@dataclass(frozen=True)
class CallResult:
    """The result of a procedure, if it is not one single value."""

    results: tuple[Any, ...]
    kwresults: Mapping[str, Any]


class Caller:
    """
    Calls procedures on a node. It connects at the first call, and again after the connection was lost.

        with Caller("ws://127.0.0.1:8080/ws", secret=os.environ["CROSSBAR_BACKEND_SECRET"]) as caller:
            caller.call("io.example.greet", "Ada")

    It is thread-safe; threads share one connection. A forked process gets a connection of its own.

    Args:
        url: ``ws://HOST:PORT/ws`` or ``wss://…``.
        ticket: join with this ticket, which the application's authenticator checks; or
        secret: join as a backend by WAMP-CRA (the node's ``CROSSBAR_BACKEND_SECRET``).
        authid: the user name to ask for; ``backend`` with a secret.
        timeout_s: time limit for each call, including the join.
    """

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8080/ws",
        *,
        ticket: str | None = None,
        secret: str | None = None,
        authid: str | None = None,
        realm: str = "realm1",
        timeout_s: float = 5.0,
    ) -> None:
        if ticket is None and secret is not None and authid is None:
            authid = "backend"
        self._url, self._realm, self._timeout_s = url, realm, timeout_s
        self._credentials = Credentials(authid, ticket, secret)
        self._lock = threading.Lock()
        self._session: WampConnection | None = None
        _CALLERS.add(self)

    def call(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """
        Call ``uri`` with JSON values.

        Returns:
            The procedure's one value; None if it has none; a ``CallResult`` for several values, or keywords.

        Raises:
            CallError: an error of the procedure or the router (such as ``wamp.error.no_such_procedure``).
            ConnectionRefused: there is no session, so nothing was called.
            NotAnswered: no answer in time, or the connection was lost: the procedure may have run, or not.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            result = self._call(uri, args, kwargs, deadline)
        except SessionEnded:
            result = self._call(uri, args, kwargs, deadline)
        if result.kwargs or len(result.args) > 1:
            return CallResult(tuple(result.args), result.kwargs)
        return result.args[0] if result.args else None

    def call_json(self, uri: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """
        Call a method in Virge::Stork's form: its argument and its result are one JSON string each.

        Raises:
            CallError: as ``call``; ``io.virge.stork.error.not_json`` if the result is no such string.
        """
        text = self.call(uri, json.dumps(arguments, allow_nan=False))
        try:
            result = json.loads(text)
        except (TypeError, ValueError):
            result = None
        if not isinstance(result, dict):
            raise CallError(NOT_JSON, f"{uri} did not return a JSON object in a string")
        return result

    def close(self) -> None:
        """Leave the realm. A later call connects again."""
        with self._lock:
            session, self._session = self._session, None
        if session:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, uri: str, args: tuple[Any, ...], kwargs: dict[str, Any], deadline: float) -> Result:
        with self._lock:
            if self._session is None or self._session.ending:
                left_s = max(0.0, deadline - time.monotonic())
                self._session = WampConnection(self._url, self._credentials, realm=self._realm, timeout_s=left_s)
            session = self._session
        return session.call(uri, args, kwargs, max(0.0, deadline - time.monotonic()))

    def _forget(self) -> None:
        # A thread of the parent may have held the lock, and the child does not have that thread.
        self._lock = threading.Lock()
        session, self._session = self._session, None
        if session:
            session.abandon()


_CALLERS: "weakref.WeakSet[Caller]" = weakref.WeakSet()


def _after_fork() -> None:
    for caller in list(_CALLERS):
        caller._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
