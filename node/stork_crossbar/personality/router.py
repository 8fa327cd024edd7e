"""The router of a realm: Crossbar's, with answers that tell a client no more than it may know."""

from typing import Any

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.message import Error, Event, Result
from crossbar.router.router import Router, RouterFactory
from twisted.internet import defer

from stork_crossbar.limits.insiders import INSIDERS
from stork_crossbar.limits.session_limits import count_undecided
from stork_crossbar.personality import direct_guard
from stork_crossbar.personality.broker import StorkBroker
from stork_crossbar.personality.dealing import StorkDealer
from stork_node.protocol import uris


class StorkRouter(Router):
    """
    - If an authorizer fails, the client gets ``io.virge.stork.unavailable``; Crossbar would quote the error.
    - Visitors do not learn which session answered their call.
    - The guard is called as a function; Crossbar would call it by its dealer.
    """

    broker, dealer = StorkBroker, StorkDealer

    def authorize(self, session: Any, uri: str, action: str, options: Any) -> Any:
        decision = self._decide(session, uri, action, options)
        count_undecided(session, action, decision)
        return decision

    def _decide(self, session: Any, uri: str, action: str, options: Any) -> Any:
        guard = direct_guard.guard_for_role(self.realm, self._roles.get(session._authrole))
        if guard:
            return direct_guard.authorize(guard, session, uri, action, options)
        known = self._authorization_cache.get((session._realm, session._authrole, uri, action))
        if known and session._authrole in self._roles:
            return defer.succeed(known)
        return super().authorize(session, uri, action, options)

    def send(self, session: Any, msg: Any) -> None:
        if type(msg) is not Event and getattr(session, "_authrole", None) not in INSIDERS:
            msg = _discreet(msg)
        super().send(session, msg)


class StorkRouterFactory(RouterFactory):
    router = StorkRouter


def _discreet(message: Any) -> Any:
    if isinstance(message, Result):
        return Result(message.request, progress=message.progress, **_payload(message))
    if isinstance(message, Error):
        if message.error == ApplicationError.AUTHORIZATION_FAILED:
            error, text = uris.REFUSALS["unavailable"]
            return Error(message.request_type, message.request, error, [text])
        return Error(message.request_type, message.request, message.error, **_payload(message))
    return message


def _payload(message: Any) -> dict[str, Any]:
    names = ("args", "kwargs", "payload", "enc_algo", "enc_key", "enc_serializer")
    return {name: getattr(message, name) for name in names}
