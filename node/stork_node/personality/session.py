"""A client's session in the router: what Crossbar's class does, and what DESIGN's table of refusals asks for."""

from functools import partial
from typing import Any

import txaio
from autobahn.wamp.message import Welcome
from autobahn.wamp.types import Challenge, Deny
from crossbar.router.session import RouterSession
from twisted.internet import reactor

from stork_components import handshake
from stork_components.connections import INVALID_PAYLOAD, TRY_AGAIN_LATER, close_transport
from stork_components.deadlines import Deadlines
from stork_node import uris
from stork_node.personality import guarding
from stork_node.personality.frames import message_fault
from stork_node.personality.slimming import slim

# The guard answers within 15 s (10 for an application that starts, 5 for its answer); a client needs its own time, too.
HANDSHAKE_TIMEOUT_S = 30.0
_handshakes = Deadlines(reactor, HANDSHAKE_TIMEOUT_S)


class StorkSession(RouterSession):
    """
    - An outage of the application closes the socket with 1013 instead of ABORT, which clients take as final.
    - WELCOME says nothing of the node's insides (Crossbar puts host name, pids and the peer into it).
    - A client that does not join in ``HANDSHAKE_TIMEOUT_S`` is cut, and so is one that says HELLO or AUTHENTICATE
      twice: Crossbar would answer both, and join the session twice.
    - One connection has one session: after ABORT and GOODBYE it is closed.
    """

    def onOpen(self, transport: Any) -> None:
        handshake.correct(transport)
        super().onOpen(transport)
        self._handshake = _handshakes.set(self._cut)
        self._said: frozenset[str] = frozenset()
        self._ask: Any = None
        send = transport.send

        def send_until_welcome(message: Any) -> None:
            if isinstance(message, Welcome):
                del transport.send
                _make_discreet(message)
            send(message)

        transport.send = send_until_welcome

    def onMessage(self, msg: Any) -> None:
        fault = message_fault(msg)
        if fault:
            close_transport(self._transport, INVALID_PAYLOAD, fault)
        else:
            super().onMessage(msg)

    def onHello(self, realm: str, details: Any) -> Any:
        if not self._says_first("HELLO"):
            return None
        guard = guarding.guard_for_hello(realm, details, self._transport, self._transport_config)
        if guard is None:
            return super().onHello(realm, details)
        self._ask = partial(guarding.authenticate, guard, self, realm, details)
        return Challenge("ticket")

    def onAuthenticate(self, signature: str, extra: Any) -> Any:
        if not self._says_first("AUTHENTICATE"):
            return None
        asked = self._ask(signature) if self._ask else txaio.as_future(super().onAuthenticate, signature, extra)
        return asked.addCallback(self._answer)

    def _answer(self, answer: Any) -> Any:
        if isinstance(answer, Deny) and answer.reason == uris.UNAVAILABLE:
            close_transport(self._transport, TRY_AGAIN_LATER, "try again later")
            return None
        if isinstance(answer, Deny):
            reactor.callLater(0, self._close)  # after Crossbar's ABORT
        return answer

    def _says_first(self, message: str) -> bool:
        if message in self._said:
            self._cut()
            return False
        self._said |= {message}
        return True

    def onLeave(self, details: Any) -> None:
        guard = guarding.guard_of(self._realm)
        if guard:
            guard.left(self._session_id or self._previous_session_id)
        super().onLeave(details)
        reactor.callLater(0, self._close)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def onJoin(self, details: Any) -> None:
        _handshakes.cancel(self._handshake)
        guard = guarding.guard_of(self._realm)
        if guard:
            guard.joined(details.session)
        super().onJoin(details)
        self._forget_handshake()

    def _forget_handshake(self) -> None:
        self._ask = None
        self._said = frozenset()
        slim(self._transport, self)

    def onClose(self, wasClean: bool) -> None:
        _handshakes.cancel(self._handshake)
        super().onClose(wasClean)

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _make_discreet(welcome: Welcome) -> None:
    """Take out what Crossbar adds under ``x_cb_``: of the message, and of the session, which has the same dict."""
    welcome.custom = {}
    for key in [key for key in welcome.authextra if key.startswith("x_cb_")]:
        del welcome.authextra[key]
