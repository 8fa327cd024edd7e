"""
The guard, in the router process: asks the application who may join, subscribe and call, and never waits for ever.

Registers ``io.virge.stork.guard.auth`` (dynamic ticket authenticator), ``….topic_auth`` (dynamic authorizer of the
role ``frontend``), ``….backend`` (dynamic WAMP-CRA authenticator) and ``….session`` (what the application said of one).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from autobahn.wamp.exception import ApplicationError
from twisted.internet import reactor

from stork_components.asking.application_client import Asker, Question, Unavailable
from stork_components.asking.registrations import Registrations
from stork_components.asking.verdicts import Verdicts
from stork_crossbar.component import in_turn
from stork_crossbar.connections import client_limits, closing
from stork_crossbar.connections.expiries import Expiries
from stork_crossbar.http import handshake
from stork_crossbar.roles import DirectGuard
from stork_node import clock
from stork_node.application.values import peer_host
from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits
from stork_node.config.settings import count, names, seconds, section, setting, text
from stork_node.errors import InvalidTopic
from stork_node.guard.admitted import Admitted
from stork_node.guard.answers import (
    Admission,
    Denial,
    Nonsense,
    Verdict,
    read_backend_ticket_answer,
    read_backend_verdict,
    read_ticket_answer,
    read_verdict,
)
from stork_node.guard.counters import GuardCounters
from stork_node.http.forwarded import Network, networks
from stork_node.http.origins import AllowedOrigin, origins
from stork_node.metrics.node_figures import GuardState
from stork_node.protocol import uris
from stork_node.protocol.topics import Topic

_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


@dataclass(frozen=True)
class GuardSettings:
    """
    ``extra`` of the guard. ``roles``: those that an application may give; ``trusted_proxies``: the networks whose
    X-Forwarded-For is believed; ``origins``: whose pages may open WebSockets, beside the node's own; ``limits``: what
    each client may send and have. Times in seconds.
    """

    backend_secret: str = setting(text, "")
    backend_authid: str = setting(text, "backend")
    roles: tuple[str, ...] = setting(names, ("frontend",))
    application_timeout_s: float = setting(seconds, 5.0)
    starting_timeout_s: float = setting(seconds, 10.0)
    cache_entries: int = setting(count, 100_000)
    pending_joins: int = setting(count, 1_000)
    trusted_proxies: tuple[Network, ...] = setting(networks, ())
    origins: tuple[AllowedOrigin, ...] = setting(origins, ())
    limits: ClientLimits = setting(section(ClientLimits), DEFAULT_LIMITS)


class Guard(DirectGuard):
    """
    Asked by WAMP, as stock Crossbar does, or called by the router directly where that is ours (``personality``): then
    ``is_called_directly``, and needs no meta events.
    """

    Settings = GuardSettings
    settings: GuardSettings

    async def start(self) -> None:
        handshake.trust(self.settings.trusted_proxies)
        handshake.allow(self.settings.origins)
        client_limits.set_limits(self.settings.limits)
        self.counters = GuardCounters(messages_refused=client_limits.messages_refused)
        self._admitted = Admitted()
        self._verdicts = Verdicts(reactor, self.settings.cache_entries, self.counters)
        batches = {uris.APP_AUTH: uris.APP_AUTH_BATCH, uris.APP_TOPIC_AUTH: uris.APP_TOPIC_AUTH_BATCH}
        callees = [uris.BACKEND_AUTH, uris.BACKEND_TOPIC_AUTH, *batches.keys(), *batches.values()]
        # Whoever registers may decide otherwise than who did before: a backend beside the application, a new release.
        self._callees = Registrations(reactor, callees, registered=self._verdicts.forget)
        self._asker = Asker(
            self,
            self._callees,
            reactor,
            application_timeout_s=self.settings.application_timeout_s,
            starting_timeout_s=self.settings.starting_timeout_s,
            batches=batches,
        )
        self._pending_joins = 0
        self._expiries = Expiries(reactor, clock.wall, self._end)
        await self._callees.watch(self)
        if not self.is_called_directly:
            await self.subscribe(lambda details, **_: self.joined(details["session"]), "wamp.session.on_join")
            await self.subscribe(lambda session_id, *_, **__: self.left(session_id), "wamp.session.on_leave")
        await self.register(lambda *args: in_turn(self.authenticate(*args)), uris.GUARD_AUTH)
        await self.register(lambda *args: in_turn(self.authorize(*args)), uris.GUARD_TOPIC_AUTH)
        await self.register(self._backend, uris.GUARD_BACKEND)
        await self.register(self._session, uris.GUARD_SESSION)

    def missing(self) -> tuple[str, ...]:
        """The application's procedures that neither it nor a backend has registered."""
        answered_by = ((uris.APP_AUTH, uris.BACKEND_AUTH), (uris.APP_TOPIC_AUTH, uris.BACKEND_TOPIC_AUTH))
        return tuple(app for app, backend in answered_by if not (self._callees.has(app) or self._callees.has(backend)))

    def state(self) -> GuardState:
        """What it is doing now."""
        return GuardState(len(self._verdicts), self._pending_joins)

    # -- joining -------------------------------------------------------------------------------------------------------

    async def authenticate(self, realm: str, authid: str | None, details: dict[str, Any]) -> dict[str, Any]:
        """
        A ticket, as Crossbar asks a dynamic authenticator: ``details`` has ``ticket``, ``session``, ``transport``, ….

        Returns:
            ``{"authid", "role", "extra"}``.

        Raises:
            ApplicationError: one of ``uris.REFUSALS``.
        """
        session_id = details["session"]
        if not _can_travel([authid, details]):
            self._turn_away("denied", details, "what the client sent is not UTF-8")
        if self._pending_joins >= self.settings.pending_joins:
            self._turn_away("unavailable", details, f"{self._pending_joins} joins are being answered already")
        self._pending_joins += 1
        try:
            asked = (realm, authid, details)
            uri, answer = await self._asker.ask(Question(uris.APP_AUTH, asked, uris.BACKEND_AUTH, asked))
            if uri == uris.BACKEND_AUTH:
                decision = read_backend_ticket_answer(answer, self.settings.roles)
            else:
                decision = read_ticket_answer(answer, self.settings.roles, clock.wall())
        except (Unavailable, Nonsense) as error:
            self._turn_away("unavailable", details, str(error))
        finally:
            self._pending_joins -= 1
        if isinstance(decision, Denial):
            self._turn_away("expired" if decision.retry else "denied", details, decision.reason)
        self._admitted.expect(session_id, decision, reactor.seconds())
        self.counters.joins += 1
        return {"authid": decision.authid, "role": decision.role, "extra": dict(decision.extra)}

    def _turn_away(self, case: str, details: Mapping[str, Any], reason: str) -> NoReturn:
        """The reason is for the log; the client is told the case, which says what it can do."""
        self.counters.refusals[case] += 1
        log = self.log.warn if case == "unavailable" else self.log.info
        address = peer_host(details["transport"]["peer"])
        log("join from {address} {case}: {reason}", address=address, case=case, reason=reason)
        error, message = uris.REFUSALS[case]
        raise ApplicationError(error, message)

    def _backend(self, realm: str, authid: str | None, details: dict[str, Any]) -> dict[str, Any]:
        """The secret for WAMP-CRA. None in the settings: nobody outside can be a backend."""
        if not self.settings.backend_secret or authid != self.settings.backend_authid:
            why = f"no backend named {authid!r}" if self.settings.backend_secret else "no backend_secret is set"
            self._turn_away("no_backend", details, why)
        return {"authid": self.settings.backend_authid, "role": "backend", "secret": self.settings.backend_secret}

    def joined(self, session_id: int) -> None:
        """A session has joined: a visitor's, or any other."""
        admission = self._admitted.join(session_id)
        if admission and admission.expires_at is not None:
            self._expiries.set(session_id, admission.expires_at)

    def left(self, session_id: int) -> None:
        """A session is gone; may be said more than once."""
        self._admitted.leave(session_id)
        self._expiries.forget(session_id)

    def _end(self, session_id: int) -> None:
        closing.close(self, session_id, closing.SESSION_IS_OVER, "session expired")

    def _session(self, session_id: int) -> dict[str, Any] | None:
        admission = self._admitted.get(session_id)
        return _facts(admission) if admission else None

    # -- subscribing and calling ---------------------------------------------------------------------------------------

    async def authorize(
        self, session: dict[str, Any], uri: str, action: str, options: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """
        Whether a session may, as Crossbar asks a dynamic authorizer: ``session`` has ``session``, ``authid``, ….

        Returns:
            ``{"allow": bool, "cache": False, "disclose": True}``.

        Raises:
            ApplicationError: undecided, to be tried again.
        """
        outcomes = self.counters.calls if action == "call" else self.counters.subscriptions
        try:
            verdict = await self._verdict(session, uri, action, options or {})
        except ApplicationError:
            outcomes["undecided"] += 1
            raise
        outcomes["allowed" if verdict.allow else "denied"] += 1
        if not verdict.allow:
            self.log.info(
                "{action} of {uri} denied to {authid}: {reason}",
                action=action,
                uri=uri,
                authid=session["authid"],
                reason=verdict.reason,
            )
        # Crossbar's own cache has no user in its key, so that it must never remember an answer.
        return {"allow": verdict.allow, "cache": False, "disclose": True}

    async def _verdict(self, session: dict[str, Any], uri: str, action: str, options: Mapping[str, Any]) -> Verdict:
        match = options.get("match") or "exact"
        if action not in ("subscribe", "call"):
            return Verdict(False, reason=f"the role {session['authrole']} never may {action}")
        if match == "exact" and (action, uri) in uris.OPEN_TO_ALL:
            return Verdict(True)
        if action == "subscribe" and (fault := _topic_fault(uri, match)):
            return Verdict(False, reason=fault)
        if match != "exact" and self._callees.has(uris.BACKEND_TOPIC_AUTH):
            # Virge::Stork has no patterns: its authorizers do not look at options, and take one for a topic.
            return Verdict(False, reason="patterns are not for topics that a backend decides about")
        admission = self._admitted.get(session["session"])
        facts = _facts(admission) if admission else {}
        # Two sessions of one user may hold different facts: their answers are not each other's.
        fingerprint = _fingerprint(admission)
        key = (action, match, uri, session["authid"], session["authrole"], fingerprint)
        return await self._verdicts.get(key, lambda: self._ask(session, facts, uri, action, dict(options)))

    async def _ask(
        self, session: dict[str, Any], facts: dict[str, Any], uri: str, action: str, options: dict[str, Any]
    ) -> Verdict:
        # An application is told where a connection comes from, and no more of it: the rest is half of the size.
        peer = {"peer": (session.get("transport") or {}).get("peer")}
        question = Question(uris.APP_TOPIC_AUTH, ({**session, "transport": peer, **facts}, uri, action, options))
        if action == "subscribe":
            # Calls are not asked there: Virge::Stork's authorizers refuse every one of a browser's.
            question = replace(
                question, backend_uri=uris.BACKEND_TOPIC_AUTH, backend_args=(session, uri, action, options)
            )
        try:
            answered_by, answer = await self._asker.ask(question)
            return read_backend_verdict(answer) if answered_by == uris.BACKEND_TOPIC_AUTH else read_verdict(answer)
        except (Unavailable, Nonsense) as error:
            self.log.warn("{action} of {uri} not decided: {error}", action=action, uri=uri, error=error)
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None


def _topic_fault(uri: str, match: Any) -> str | None:
    """Why nobody is asked about this: it is not a topic, or one of the node's and the router's own."""
    try:
        Topic.parse_pattern(uri, match)
    except InvalidTopic as error:
        return str(error)
    return f"{uri} is not for applications" if f"{uri}.".startswith(uris.RESERVED_TOPICS) else None


def _can_travel(value: Any) -> bool:
    """
    Whether a question with ``value`` in it reaches the application. Lone surrogates have no UTF-8, and CBOR clients may
    send keys that are no text: Crossbar drops what it cannot serialize, and nobody would answer.
    """
    try:
        _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _fingerprint(admission: Admission | None) -> str:
    """Equal for sessions with equal facts, their authid and role aside."""
    if admission is None or not (admission.extra or admission.private):
        return "" if admission else "unknown"
    return json.dumps([admission.extra, admission.private], sort_keys=True, default=str)


def _facts(admission: Admission) -> dict[str, Any]:
    return {
        "authid": admission.authid,
        "authrole": admission.role,
        "authextra": dict(admission.extra),
        "private": dict(admission.private),
    }
