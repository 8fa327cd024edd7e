"""
Calls the guard as a function, without CALL, INVOCATION, YIELD and RESULT between parts of one process.

Stock Crossbar calls the guard by its dealer, as any dynamic authenticator and authorizer. Arguments and answers are
equal in both cases.
"""

from collections.abc import Mapping
from typing import Any

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import Accept, Deny
from crossbar.router.auth import PendingAuthTicket
from crossbar.router.role import RouterRoleDynamicAuth
from crossbar.router.router import Router
from crossbar.router.session import RouterSession
from twisted.internet import defer
from twisted.logger import Logger

from stork_crossbar import registry
from stork_crossbar.compat import require_signature
from stork_crossbar.roles import DirectCalls, DirectGuard
from stork_node.process_state import singleton
from stork_node.protocol import uris

_log = Logger(namespace="stork_components.guard")


def call_guard() -> None:
    """Make sessions and routers of this process call the guard; to be called before it starts."""
    require_signature(RouterSession.onMessage, "self", "msg")
    require_signature(RouterSession.onJoin, "self", "details")
    require_signature(Router.attach, "self", "session")
    require_signature(RouterSession.onAuthenticate, "self", "signature", "extra")
    require_signature(Router.authorize, "self", "session", "uri", "action", "options")
    require_signature(RouterRoleDynamicAuth.__init__, "self", "router", "uri", "authorizer")
    require_signature(PendingAuthTicket.authenticate, "self", "signature")
    singleton(DirectCalls).are_made = True


_BY_TICKET = {"type": "dynamic", "authenticator": uris.GUARD_AUTH}


def guard_of(realm: str | None) -> DirectGuard | None:
    """The guard of this realm. None if it has not started, or must be called by WAMP."""
    guard: DirectGuard | None = registry.find(DirectGuard) if singleton(DirectCalls).are_made else None
    return guard if guard and guard._realm == realm else None


def guard_for_hello(realm: str, hello: Any, transport: Any, transport_config: Mapping[str, Any]) -> DirectGuard | None:
    """
    The guard, if Crossbar would ask only the guard about this HELLO: for a ticket, which the client names first.
    """
    by_ticket = transport_config.get("auth", {}).get("ticket")
    if hello.authmethods and hello.authmethods[0] == "ticket" and by_ticket == _BY_TICKET and transport._authid is None:
        return guard_of(realm)
    return None


def authenticate(
    guard: DirectGuard, session: Any, realm: str, hello: Any, ticket: str
) -> "defer.Deferred[Accept | Deny]":
    """Ask the guard, and turn its answer into that of Crossbar's PendingAuthTicket."""
    question = {
        "transport": _transport_facts(session._transport),
        "session": session._pending_session_id,
        "authmethod": "ticket",
        "authextra": hello.authextra,
        "ticket": ticket,
    }
    roles = session._router_factory.get(realm)._roles

    def accept(principal: Mapping[str, Any]) -> Accept | Deny:
        role = principal["role"]
        if role not in roles:
            return Deny(ApplicationError.NO_SUCH_ROLE, f"there is no role {role}")
        return Accept(realm, principal["authid"], role, "ticket", "dynamic", principal["extra"])

    def deny(failure: Any) -> Deny:
        if not failure.check(ApplicationError):
            # A bug here is no verdict on the client: it may try again.
            _log.failure("the guard failed", failure)
            return Deny(*uris.REFUSALS["unavailable"])
        return Deny(failure.value.error, str(failure.value.args[0]))

    return defer.ensureDeferred(guard.authenticate(realm, hello.authid, question)).addCallbacks(accept, deny)


def _transport_facts(transport: Any) -> dict[str, Any]:
    facts: dict[str, Any] = transport.transport_details.marshal()
    facts["client_cert"] = facts["peer_cert"]
    return facts


def guard_for_role(realm: str | None, role: Any) -> DirectGuard | None:
    """The guard, if it is the authorizer of this role."""
    guard = guard_of(realm)
    is_asked = guard and type(role) is RouterRoleDynamicAuth and role._authorizer == uris.GUARD_TOPIC_AUTH
    return guard if is_asked else None


def authorize(
    guard: DirectGuard, session: Any, uri: str, action: str, options: Mapping[str, Any]
) -> "defer.Deferred[Any]":
    transport = session._transport.transport_details if session._transport else None
    details = {
        "session": session._session_id,
        "authid": session._authid,
        "authrole": session._authrole,
        "authmethod": session._authmethod,
        "authprovider": session._authprovider,
        "authextra": session._authextra,
        "transport": transport.marshal() if transport else None,
    }
    return defer.ensureDeferred(guard.authorize(details, uri, action, options))
