"""
Tests of an application without a router: ``AppTester(stork).join(ticket="…").subscribe("v1.orders.42")``.

The node's answer to a client is a result, or an exception that is named for the client's next step.
"""

import itertools
import weakref
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from stork_node import clock
from stork_node.application.auth_request import cookie_header
from stork_node.application.grants import NO_GRANTS, Grants
from stork_node.application.online_recorder import Call, OnlineRecorder
from stork_node.application.permission import Permission
from stork_node.application.policy import Undecided
from stork_node.application.push_recorder import AsyncPushRecorder, PushRecorder, RecordedPush
from stork_node.application.running.runtime import HANDLER_FAILED, HandlerFailed, Runtime, log_failure
from stork_node.application.stork import Stork
from stork_node.application.values import ClientSession, Deny, Principal
from stork_node.errors import CallError, ConfigError, InvalidAnswer, StorkError
from stork_node.guard import core
from stork_node.guard.answers import read_ticket_answer
from stork_node.protocol import uris
from stork_node.protocol.topics import Match
from stork_node.protocol.wire_values import to_wire

__all__ = ["AppTester", "Client", "Denied", "Expired", "RecordedPush", "Refused", "Unavailable"]

T = TypeVar("T")
_TELLING_S = 3600.0


class Refused(StorkError):
    """
    The node refuses. ``uri`` is WAMP's URI for the client (``""`` if its connection is closed without one). ``reason``
    is the application's own, for the log; a client does not get it.
    """

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"{uri}: {reason}" if uri else reason)
        self.uri, self.reason = uri, reason


class Denied(Refused):
    """The application refused: final."""


class Expired(Refused):
    """The application refused with ``Deny(…, retry=True)``: the client gets a new ticket."""


class Unavailable(Refused):
    """
    A handler raised (it is the ``__cause__``), returned an invalid value or took too long, or the application leaves
    the decision to a backend: the client tries again.
    """


class AppTester:
    """
    Runs an application as a node would.

    The on_start handlers run before the first client joins. As a context manager it also runs the on_stop handlers.

    Args:
        stork: the application.
        roles: the roles that it may give, as in the node's configuration.
        timeout_s: time limit for authenticators and verifiers.

    Attributes:
        pushes: the pushes of handlers, in order.
        commands: the commands of handlers, in order.
        failures: of on_join, on_leave and on_stop handlers; no client gets them.

    Raises:
        ConfigError: problems of the declarations as a whole, as in ``stork check``.
    """

    __test__ = False  # for pytest, which collects classes with such names

    def __init__(self, stork: Stork, roles: Collection[str] = ("frontend",), timeout_s: float = 5.0) -> None:
        if problems := stork.problems():
            raise ConfigError(problems)
        self.pushes: list[RecordedPush] = []
        self.failures: list[HandlerFailed] = []
        self._roles, self._timeout_s = roles, timeout_s
        self._patterns = stork.patterns
        self._online = OnlineRecorder(frozenset(stork.presence))
        self._presence_verified = frozenset(stork.presence_verified)
        self._ids = itertools.count(1)
        self._tellings = 0
        self._runtime = Runtime(stork, report=_keep_in(self.failures))
        self._started = False
        self._end = weakref.finalize(self, self._runtime.stop, 0)
        self._end.atexit = False
        recorder = PushRecorder(self.pushes)
        self.commands = recorder.commands
        stork.connect(recorder, AsyncPushRecorder(recorder))

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.detach()
        self._runtime.stop(self._timeout_s).result()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._runtime.start().result()

    def join(
        self,
        ticket: str = "",
        authid: str | None = None,
        headers: Mapping[str, str] | None = None,
        realm: str = "realm1",
        address: str = "127.0.0.1",
        cookies: Mapping[str, Any] | None = None,
    ) -> "Client":
        """
        Join as a browser does, with a ticket.

        Args:
            ticket: the authenticator's ``request.ticket``.
            authid: the name that the client asks for.
            headers: of its opening handshake.
            realm: the realm that it wants to join.
            address: the client's address.
            cookies: of its opening handshake: ``{"sid": "1"}``, or the ``client.cookies`` of Django's test client.

        Raises:
            ValueError: a cookie that no header can hold.
            Denied, Expired, Unavailable: it cannot join.
            HandlerFailed: an on_start handler raised.
        """
        self._start()
        session_id = next(self._ids)
        peer = f"tcp4:{address}:50000"
        received = dict(headers or {})
        if cookies:
            name = next((name for name in received if name.lower() == "cookie"), "Cookie")
            received[name] = "; ".join(filter(None, [received.get(name), cookie_header(cookies)]))
        details = {
            "ticket": ticket,
            "session": session_id,
            "authmethod": "ticket",
            "transport": {"peer": peer, "http_headers_received": received},
        }
        refused = core.refuse_ticket(authid, details)
        principal = self._authenticate(realm, authid, details) if refused is None else refused
        if isinstance(principal, Deny):
            uri, _ = uris.REFUSALS[core.refusal_case(principal)]
            raise (Expired if principal.retry else Denied)(uri, principal.reason)
        session = ClientSession.by_ticket(principal, session_id, realm, peer)
        self._wait(self._runtime.joined(session))
        return Client(self, session, Grants.parse(principal.topics), principal.presence)

    def online(self, topic: str) -> dict[str, Any]:
        """
        Who is online in a topic of a feed with presence: ``{authid: info}``, in the order in which they came.

        A user who leaves is offline at once. The on_online and on_offline handlers have ended when ``subscribe``,
        ``unsubscribe`` and ``leave`` return; what they raise is in ``failures``.
        """
        return self._online.online(topic)

    def _tell(self, calls: Iterator[Call]) -> None:
        told = [(kind, topic, [user]) for kind, topic, user in calls]
        if told:
            self._tellings += 1
            document = {"position": f"test:{self._tellings}", "calls": told}
            self._wait(self._runtime.tell_presence([document], _TELLING_S))

    def _authenticate(self, realm: str, authid: str | None, details: Mapping[str, Any]) -> Principal | Deny:
        answer = self._ask(self._runtime.authenticate(realm, authid, details), "")
        try:
            return read_ticket_answer(answer, self._roles, clock.wall())
        except InvalidAnswer as error:
            raise Unavailable("", str(error)) from error

    def backend(self, authid: str = "backend") -> "Client":
        """
        A session of the role ``backend``: it may call every procedure, and on_join handlers are not called for it.
        """
        self._start()
        return Client(self, ClientSession(id=next(self._ids), authid=authid, role="backend", authmethod="wampcra"))

    def _wait(self, coroutine: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        future = self._runtime.submit(coroutine)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            raise

    def _ask(self, coroutine: Coroutine[Any, Any, T], uri: str) -> T:
        """Wait as long as the guard does, and give up in the same way; ``uri`` is the error for the client."""
        try:
            return self._wait(coroutine, self._timeout_s)
        except HandlerFailed as failure:
            raise Unavailable(uri, str(failure)) from failure.cause
        except Undecided as undecided:
            raise Unavailable(uri, str(undecided)) from None
        except TimeoutError:
            raise Unavailable(uri, f"no answer within {self._timeout_s} s") from None

    def _authorize(self, session: ClientSession, uri: str, action: str, options: Mapping[str, Any]) -> None:
        if session.role == "backend":
            return
        match: Match = options.get("match") or "exact"
        permission = core.decide_unasked(session.role, action, uri, match, by_backend=False)
        if permission is None:
            question = self._runtime.authorize(session.to_wire(), uri, action, options)
            permission = Permission.from_wire(self._ask(question, uris.UNAVAILABLE))
        if not permission.allow:
            raise Denied(core.NOT_AUTHORIZED, permission.reason)


def _keep_in(failures: list[HandlerFailed]) -> Callable[[HandlerFailed], None]:
    # Not a method of the tester: a runtime with a reference to it would keep it alive for ever.
    def report(failure: HandlerFailed) -> None:
        failures.append(failure)
        log_failure(failure)

    return report


class Client:
    """One session with an application under test; ``session`` is the handlers' view of it."""

    def __init__(
        self, tester: AppTester, session: ClientSession, grants: Grants = NO_GRANTS, info: dict[str, Any] | None = None
    ) -> None:
        self.session, self._grants, self._info = session, grants, info
        self._tester: AppTester | None = tester

    def __repr__(self) -> str:
        return f"<Client {self.session.authid}, session {self.session.id}>"

    def subscribe(self, topic: str, match: Match = "exact") -> None:
        """
        Subscribe to a topic, or to a pattern.

        Raises:
            Denied, Unavailable: the application does not allow it.
        """
        tester = self._joined()
        if match == "exact" and topic.startswith(uris.PRESENCE):
            self._look(tester, topic.removeprefix(uris.PRESENCE))
            return
        self._check(tester, topic, match)
        if match == "exact" and self.session.role != "backend":
            came = tester._online.came(self.session.id, self.session.authid, self._info, topic)
            tester._tell(came)

    def _check(self, tester: AppTester, topic: str, match: Match = "exact") -> None:
        if not core.is_granted(self._grants, "subscribe", topic, match, tester._patterns):
            tester._authorize(self.session, topic, "subscribe", {"match": match})

    def _look(self, tester: AppTester, topic: str) -> None:
        if not tester._online.has_presence(topic):
            raise Denied(core.NOT_AUTHORIZED, f"the feed of {topic} has no presence")
        try:
            self._check(tester, topic)
        except Denied:
            if topic.rpartition(".")[0] not in tester._presence_verified:
                raise
            tester._authorize(self.session, topic, "presence", {})

    def unsubscribe(self, topic: str) -> None:
        """End a subscription to a topic."""
        tester = self._joined()
        tester._tell(tester._online.went(self.session.id, self.session.authid, topic))

    def online(self, topic: str) -> dict[str, Any]:
        """
        Look who is online in a topic: ``{authid: info}``, in the order in which they came.

        Raises:
            Denied, Unavailable: the application does not allow it, or the feed has no presence.
        """
        tester = self._joined()
        self._look(tester, topic)
        return tester.online(topic)

    def call(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """
        Call a procedure, and wait for its result.

        Raises:
            Denied, Unavailable: the application does not allow it.
            CallError: the procedure's own. For another exception (the ``__cause__``) it has the URI
                ``io.virge.stork.error.handler_failed``.
        """
        tester = self._joined()
        tester._authorize(self.session, uri, "call", {})
        sent_args, sent_kwargs = to_wire(args, "args", binary=True), to_wire(kwargs, "kwargs", binary=True)
        try:
            return tester._wait(tester._runtime.call(uri, sent_args, sent_kwargs, self.session))
        except HandlerFailed as failure:
            raise CallError(HANDLER_FAILED, f"the {failure.kind} failed") from failure.cause

    def leave(self) -> None:
        """Leave, and wait until the on_leave handlers have ended."""
        tester = self._joined()
        self._tester = None
        tester._tell(tester._online.went(self.session.id, self.session.authid))
        if self.session.role != "backend":
            tester._wait(tester._runtime.left(self.session))

    def _joined(self) -> AppTester:
        if self._tester is None:
            raise StorkError(f"{self!r} has left")
        return self._tester
