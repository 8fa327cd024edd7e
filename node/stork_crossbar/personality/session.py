"""A client's session in the router: Crossbar's class, and the endings of docs/architecture.md#refusals-and-endings."""

from functools import partial
from typing import Any

import txaio
from autobahn import util
from autobahn.wamp.message import Abort, Authenticate, Challenge, Goodbye, Hello, Welcome
from autobahn.wamp.types import Accept, Deny, SessionDetails
from crossbar.router.session import RouterSession
from twisted.internet import reactor

from stork_crossbar.connections.closing import PROTOCOL_ERROR, TRY_AGAIN_LATER, close_transport
from stork_crossbar.connections.connection_memory import release_handshake
from stork_crossbar.connections.delivering import refuse
from stork_crossbar.connections.endings import is_ending
from stork_crossbar.internals import broadcasting
from stork_crossbar.internals.deadlines import Deadlines
from stork_crossbar.limits.session_limits import refusal
from stork_crossbar.opening import handshake
from stork_crossbar.opening.entrance import entrance
from stork_crossbar.opening.unjoined import Step
from stork_crossbar.personality import direct_guard
from stork_node import clock
from stork_node.protocol import uris

# The guard answers within 15 s (10 for an application that starts, 5 for its answer); a client needs its own time, too.
HANDSHAKE_TIMEOUT_S = 30.0
_handshakes = Deadlines(reactor, HANDSHAKE_TIMEOUT_S)


class StorkSession(RouterSession):
    """
    - An outage of the application closes the socket with 1013 instead of ABORT, which clients take as final.
    - WELCOME has no details of the node (Crossbar adds host name, pids and the peer).
    - A client that does not join in ``HANDSHAKE_TIMEOUT_S`` is cut. One that sends HELLO or AUTHENTICATE twice is
      closed with 1002: Crossbar would answer both, and join the session twice.
    - One connection has one session: after ABORT and GOODBYE it is closed.
    - ``wamp.session.on_leave`` tells session, authid and authrole, as WAMP has it; Crossbar tells the session only.
    """

    @property
    def _service_session(self) -> Any:
        """The router's own session, by which Crossbar publishes meta events of this session."""
        return self._stork_service and _LeaveTeller(self, self._stork_service)

    @_service_session.setter
    def _service_session(self, service_session: Any) -> None:
        self._stork_service = service_session

    # Whether its client comes back only by a new wish of its user: it said GOODBYE, or a command has ended it.
    has_left = False

    def onOpen(self, transport: Any) -> None:
        connection = broadcasting.descriptor(transport)
        entrance.step(connection, Step.ASKED)
        if address := handshake.apply_forwarded_headers(transport):
            entrance.belongs_to(connection, address)
        has_place = entrance.has_place(connection, address)
        super().onOpen(transport)
        self._handshake = _handshakes.set(self._cut)
        self._said: frozenset[str] = frozenset()
        self._ask: Any = None
        self._asks_for: str | None = None
        if not has_place:
            self._send_away()

    def onMessage(self, msg: Any) -> None:
        if is_ending(self._transport):
            return
        if self._session_id is not None:
            if isinstance(msg, Goodbye) and not self._goodbye_sent:
                self.has_left = True
            refused = refusal(self, msg)
            if refused is None:
                super().onMessage(msg)
            else:
                self._transport.send(refused)
        elif isinstance(msg, Hello):
            self._hear_hello(msg)
        elif isinstance(msg, Authenticate):
            self._hear_ticket(msg)
        else:
            super().onMessage(msg)

    def _hear_hello(self, hello: Hello) -> None:
        if not self._says_first("HELLO"):
            return
        entrance.step(broadcasting.descriptor(self._transport), Step.HELLO)
        guard = direct_guard.guard_for_hello(hello.realm, hello, self._transport, self._transport_config)
        if guard is None:
            self._transport.send = partial(_send_until_welcome, self._transport)
            super().onMessage(hello)
            return
        self._pending_session_id, self._asks_for = util.id(), hello.realm
        self._session_roles = hello.roles
        self._ask = partial(direct_guard.authenticate, guard, self, hello.realm, hello)
        self._transport.send(Challenge("ticket"))

    def _hear_ticket(self, authenticate: Authenticate) -> None:
        if not self._says_first("AUTHENTICATE"):
            return
        entrance.leave(broadcasting.descriptor(self._transport))
        if self._ask is None:
            super().onMessage(authenticate)
        else:
            self._ask(authenticate.signature).addCallback(self._answer).addErrback(self._fail)

    def onAuthenticate(self, signature: str, extra: Any) -> Any:
        """Called by Crossbar's class, if the guard does not decide."""
        return txaio.as_future(super().onAuthenticate, signature, extra).addCallback(self._turn_away)

    def _answer(self, answer: Accept | Deny) -> None:
        """Handle the answer like Crossbar's class, without the closures that it makes for each message."""
        if self._transport is None or is_ending(self._transport):  # gone meanwhile
            return
        if isinstance(answer, Accept):
            self._welcome(answer)
        elif self._turn_away(answer):
            self._transport.send(Abort(answer.reason, answer.message))

    def _turn_away(self, answer: Any) -> Any:
        """The answer, if the client is still there."""
        if isinstance(answer, Deny) and answer.reason == uris.UNAVAILABLE:
            self._send_away()
            return None
        if isinstance(answer, Deny):
            reactor.callLater(0, self._close)  # after the ABORT
        return answer

    def _send_away(self) -> None:
        if not close_transport(self._transport, TRY_AGAIN_LATER, "try again later"):
            self._transport.close()  # a RawSocket has no codes

    def _fail(self, failure: Any) -> None:
        self.log.failure("the session cannot join", failure)
        self._cut()

    def _welcome(self, accept: Accept) -> None:
        self._realm, self._authid, self._authrole = accept.realm, accept.authid, accept.authrole
        self._authmethod, self._authprovider = accept.authmethod, accept.authprovider
        self._authextra = dict(accept.authextra or {})
        self._session_id, self._pending_session_id = self._pending_session_id, None
        self._goodbye_sent = False
        self._router = self._router_factory.get(self._realm)
        named = {
            "realm": self._realm,
            "authid": self._authid,
            "authrole": self._authrole,
            "authmethod": self._authmethod,
            "authprovider": self._authprovider,
            "authextra": self._authextra,
        }
        roles = self._router.attach(self)
        self._transport.send(Welcome(self._session_id, roles, **named))
        transport = self._transport.transport_details
        serializer = transport.channel_serializer
        joined = SessionDetails(session=self._session_id, serializer=serializer, transport=transport, **named)
        self.onJoin(joined)

    def _says_first(self, message: str) -> bool:
        if message in self._said:
            refuse(self._transport, PROTOCOL_ERROR, "protocol", f"a client sends {message} once")
            return False
        self._said |= {message}
        return True

    def onLeave(self, details: Any) -> None:
        guard = direct_guard.guard_of(self._realm)
        if guard:
            guard.left(self._session_id or self._previous_session_id)
        super().onLeave(details)
        reactor.callLater(0, self._close)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def onJoin(self, details: Any) -> None:
        self.stork_joined_at = clock.wall()
        _handshakes.cancel(self._handshake)
        entrance.leave(broadcasting.descriptor(self._transport))
        guard = direct_guard.guard_of(self._realm)
        if guard:
            guard.joined(details.session)
        super().onJoin(details)
        self._forget_handshake()

    def _forget_handshake(self) -> None:
        self._ask = None
        self._said = frozenset()
        release_handshake(self._transport, self)

    def onClose(self, wasClean: bool) -> None:
        _handshakes.cancel(self._handshake)
        if self._pending_session_id is not None and (guard := direct_guard.guard_of(self._asks_for)):
            guard.gave_up(self._pending_session_id)
        super().onClose(wasClean)

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _LeaveTeller:
    """Publishes for a session, by the router's own session."""

    def __init__(self, session: StorkSession, service_session: Any) -> None:
        self._session, self._publish = session, service_session.publish

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> Any:
        if topic == "wamp.session.on_leave":
            args = (*args, self._session._authid, self._session._authrole)
        return self._publish(topic, *args, **kwargs)


def _send_until_welcome(transport: Any, message: Any) -> None:
    if isinstance(message, Welcome):
        del transport.send
        _make_discreet(message)
    type(transport).send(transport, message)


def _make_discreet(welcome: Welcome) -> None:
    """Remove Crossbar's ``x_cb_`` values from the message, and from the session, which has the same dict."""
    welcome.custom = {}
    for key in [key for key in welcome.authextra if key.startswith("x_cb_")]:
        del welcome.authextra[key]
