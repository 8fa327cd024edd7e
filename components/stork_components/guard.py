"""
The guard, in the router process: asks the application about joins, subscriptions and calls, and never waits for ever.

Registers ``io.virge.stork.guard.auth`` (dynamic ticket authenticator), ``….topic_auth`` (dynamic authorizer of the
role ``frontend``), ``….backend`` (dynamic WAMP-CRA authenticator), ``….session`` (what the application said of one) and
``….rules`` (takes the application's rules for tokens).
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

from autobahn.wamp.exception import ApplicationError
from twisted.internet import reactor

from stork_components.asking.application_client import ApplicationClient, CallerLeft, Request, Unavailable
from stork_components.asking.registrations import Registrations
from stork_components.asking.verdicts import Verdicts
from stork_components.asking.waiting_sessions import WaitingSessions
from stork_components.tickets.token_gate import TokenGate
from stork_crossbar.component import in_turn
from stork_crossbar.connections import closing
from stork_crossbar.connections.expiries import Expiries
from stork_crossbar.internals import registrations
from stork_crossbar.limits import client_limits
from stork_crossbar.opening import handshake
from stork_crossbar.roles import DirectCalls, DirectGuard
from stork_node import clock
from stork_node.application.grants import Grants
from stork_node.application.permission import Permission
from stork_node.application.values import ClientSession, Deny, peer_host
from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits, share_of_one
from stork_node.config.settings import count, names, seconds, section, setting, text
from stork_node.errors import InvalidAnswer
from stork_node.guard import core
from stork_node.guard.admitted import Admission, Admitted
from stork_node.guard.answers import check_role, read_backend_permission, read_backend_ticket_answer, read_ticket_answer
from stork_node.guard.counters import GuardCounters
from stork_node.guard.deciders import JOINS, SUBSCRIPTIONS, Deciders, decisions
from stork_node.http.forwarded import Network, networks
from stork_node.http.origins import AllowedOrigin, origins
from stork_node.metrics.node_figures import GuardState
from stork_node.nodes.revocations import Revocations
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.nodes.session_marks import SessionMarks
from stork_node.presence.subscribers import PresenceSubscribers
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.topics import Match
from stork_node.tokens.checking import looks_like_token
from stork_node.tokens.claims import Bearer
from stork_node.why.recent import Kind, RecentEvents

# Of a topic and a reason that are remembered.
_MOST_REMEMBERED = 255


@dataclass(frozen=True)
class GuardSettings:
    """
    ``extra`` of the guard. ``roles``: the roles that an application may give. ``backends_decide``: the decisions
    (``joins``, ``subscriptions``) about which only backends are asked. ``trusted_proxies``: the networks whose
    X-Forwarded-For the node believes. ``origins``: the origins of pages that may open WebSockets, beside the node's
    own. ``limits``: the limits of each client. Times in seconds.
    """

    backend_secret: str = setting(text, "")
    backend_authid: str = setting(text, "backend")
    roles: tuple[str, ...] = setting(names, ("frontend",))
    backends_decide: tuple[str, ...] = setting(decisions, ())
    application_timeout_s: float = setting(seconds, 5.0)
    starting_timeout_s: float = setting(seconds, 10.0)
    cache_entries: int = setting(count, 100_000)
    pending_joins: int = setting(count, 1_000)
    trusted_proxies: tuple[Network, ...] = setting(networks, ())
    origins: tuple[AllowedOrigin, ...] = setting(origins, ())
    limits: ClientLimits = setting(section(ClientLimits), DEFAULT_LIMITS)


class Guard(DirectGuard):
    """Is asked by WAMP, as in stock Crossbar, or called directly (``DirectCalls``): then it needs no meta events."""

    Settings = GuardSettings
    settings: GuardSettings

    async def start(self) -> None:
        handshake.trust(self.settings.trusted_proxies)
        handshake.allow(self.settings.origins)
        client_limits.bounds().set(self.settings.limits)
        self.counters = GuardCounters(messages_refused=client_limits.bounds().messages_refused)
        self._admitted = Admitted()
        self._marks = singleton(SessionMarks)
        self._presence = singleton(PresenceSubscribers)
        self._verdicts = Verdicts(reactor, self.settings.cache_entries, self.counters, core.user_of)
        batches = {uris.APP_AUTH: uris.APP_AUTH_BATCH, uris.APP_TOPIC_AUTH: uris.APP_TOPIC_AUTH_BATCH}
        callees = [uris.BACKEND_AUTH, uris.BACKEND_TOPIC_AUTH, *batches.keys(), *batches.values()]
        # A new callee may decide otherwise than the one before: a backend beside the application, or a new release.
        self._callees = Registrations(reactor, callees, registered=self._forget)
        self._deciders = Deciders(self.settings.backends_decide, self._callees.has)
        self._served = singleton(ServedFeeds)
        self._served.ask_backend(partial(self._deciders.is_by_backend, SUBSCRIPTIONS))
        self._application = ApplicationClient(
            self,
            self._callees,
            reactor,
            application_timeout_s=self.settings.application_timeout_s,
            starting_timeout_s=self.settings.starting_timeout_s,
            batches=batches,
        )
        self._tokens = TokenGate(reactor)
        self._pending_joins = 0
        self._pending_of: Counter[str | None] = Counter()
        self._waiting = WaitingSessions()
        self._gone: list[int] = []
        self._expiries = Expiries(reactor, clock.wall, self._end)
        await self._callees.watch(self, registrations.look_up(self))
        if not singleton(DirectCalls).are_made:
            await self.subscribe(lambda details, **_: self.joined(details["session"]), "wamp.session.on_join")
            await self.subscribe(lambda session_id, *_, **__: self.left(session_id), "wamp.session.on_leave")
        await self.register(lambda *args: in_turn(self.authenticate(*args)), uris.GUARD_AUTH)
        await self.register(lambda *args: in_turn(self.authorize(*args)), uris.GUARD_TOPIC_AUTH)
        await self.register(self._backend, uris.GUARD_BACKEND)
        await self.register(self._session, uris.GUARD_SESSION)
        await self.register(self._take_rules, uris.GUARD_RULES)

    def _take_rules(self, wire: Mapping[str, Any]) -> None:
        self._tokens.take(wire)
        self._presence.set_feeds(wire.get("presence") or {})

    def _forget(self) -> None:
        self._verdicts.forget()
        self._application.callees_changed()

    def forget_answers(self, because: tuple[Command, frozenset[str]] | None) -> int:
        """As ``DirectGuard``. Late answers to requests that nobody waits for are all forgotten."""
        self._application.forget()
        if because is None:
            return self._verdicts.drop(lambda key: True)
        return self._verdicts.drop(lambda key: core.is_named(*because, key), because[0].authid)

    def missing(self) -> tuple[str, ...]:
        """The procedures without which nobody can join or subscribe, and which nobody has registered now."""
        self._callees.compare()
        return self._deciders.missing()

    def state(self) -> GuardState:
        """The current state, for metrics."""
        return GuardState(len(self._verdicts), self._pending_joins)

    # -- joining -------------------------------------------------------------------------------------------------------

    async def authenticate(self, realm: str, authid: str | None, details: dict[str, Any]) -> dict[str, Any]:
        """
        Check a ticket, as a dynamic authenticator of Crossbar: ``details`` has ``ticket``, ``session``,
            ``transport``, ….

        Returns:
            ``{"authid", "role", "extra"}``.

        Raises:
            ApplicationError: one of ``uris.REFUSALS``.
        """
        address = handshake.counted_address(details["transport"]["peer"])
        if not client_limits.may_join(address):
            self._refuse("limit")
        refused = core.refuse_ticket(authid, details)
        if refused is not None:  # not by its truth: a Deny is false
            self._turn_away(core.refusal_case(refused), details, refused.reason)
        if self._pending_joins >= self.settings.pending_joins:
            self._turn_away("unavailable", details, f"{self._pending_joins} joins are being answered already")
        if address is not None and self._pending_of[address] >= share_of_one(self.settings.pending_joins):
            reason = f"{self._pending_of[address]} joins of this address are being answered already"
            self._turn_away("unavailable", details, reason)
        self._pending_joins += 1
        self._pending_of[address] += 1
        opening = self._marks.open()
        try:
            decision = await self._decide(realm, authid, details)
        except CallerLeft:  # nobody hears this answer, and nothing is wrong here
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None
        except (Unavailable, InvalidAnswer) as error:
            self._turn_away("unavailable", details, str(error))
        finally:
            self._pending_joins -= 1
            self._pending_of[address] -= 1
            if not self._pending_of[address]:
                del self._pending_of[address]
        if isinstance(decision, Deny):
            self._turn_away(core.refusal_case(decision), details, decision.reason)
        principal = decision.principal
        if self._admitted.count(principal.authid, reactor.seconds()) >= client_limits.limits().sessions_per_user:
            client_limits.note("sessions_per_user", principal.authid)
            self._refuse("limit")
        session = ClientSession.by_ticket(principal, details["session"], realm, details["transport"]["peer"])
        if self._marks.missed(opening, session.id, *_names(session)):
            self._turn_away("unavailable", details, "a command came while the ticket was being checked")
        info = principal.presence_json
        admission = Admission(session, principal.expires_at_s, decision.grants, decision.issued_at, opening, info)
        self._admitted.expect(admission, reactor.seconds())
        self.counters.joins += 1
        return {"authid": principal.authid, "role": principal.role, "extra": principal.extra}

    async def _decide(self, realm: str, authid: str | None, details: dict[str, Any]) -> Bearer | Deny:
        """Who the ticket lets in: decided here, if it is a token, and else by an application."""
        ticket = details.get("ticket")
        if looks_like_token(ticket):
            await self._rules_known()
            if self._tokens.is_token(ticket):
                found = await self._tokens.check(ticket)
                if isinstance(found, Deny):
                    return found
                check_role(found.principal, self.settings.roles)
                if singleton(Revocations).refuses(found.principal.authid, found.issued_at):
                    return Deny("the token is older than a command that has disconnected its user")
                return found
        asked = (realm, authid, details)
        within_s = self.settings.application_timeout_s
        by_app = self._deciders.application(JOINS)
        question = Request(by_app, (*asked, within_s), uris.BACKEND_AUTH, asked, core.join_key(*asked))
        with self._waiting.asking_for(details["session"]):
            uri, answer = await self._application.ask(question)
        if uri == uris.BACKEND_AUTH:
            decision = read_backend_ticket_answer(answer, self.settings.roles)
        else:
            decision = read_ticket_answer(answer, self.settings.roles, clock.wall())
        if isinstance(decision, Deny):
            if self._application.passes_over(uris.BACKEND_AUTH):
                raise Unavailable("the backend does not answer, and the application does not know the ticket")
            return decision
        grants = Grants.parse(decision.topics)
        self._served.permit(grants.all_feeds())
        return Bearer(decision, grants)

    async def _rules_known(self) -> None:
        """Wait for the first application of this node: it says whether tickets are tokens, and registers later."""
        give_up_at = reactor.seconds() + self.settings.starting_timeout_s
        while not (self._tokens.are_known or any(map(self._callees.has, (uris.APP_AUTH, uris.BACKEND_AUTH)))):
            if not await self._callees.changed(give_up_at - reactor.seconds()):
                raise Unavailable(f"no application started within {self.settings.starting_timeout_s:g} s")

    def _turn_away(self, case: str, details: Mapping[str, Any], reason: str) -> NoReturn:
        """Refuse a join. The log gets the reason; the client gets the case, which says what it can do."""
        log = self.log.warn if case == "unavailable" else self.log.info
        address = peer_host(details["transport"]["peer"])
        log("join from {address} {case}: {reason}", address=address, case=case, reason=reason)
        self._refuse(case)

    def _refuse(self, case: str) -> NoReturn:
        self.counters.refusals[case] += 1
        error, message = uris.REFUSALS[case]
        raise ApplicationError(error, message)

    def _backend(self, realm: str, authid: str | None, details: dict[str, Any]) -> dict[str, Any]:
        """The secret for WAMP-CRA. Without a secret in the settings, no backend can join."""
        if not self.settings.backend_secret or authid != self.settings.backend_authid:
            why = f"no backend named {authid!r}" if self.settings.backend_secret else "no backend_secret is set"
            self._turn_away("no_backend", details, why)
        return {"authid": self.settings.backend_authid, "role": "backend", "secret": self.settings.backend_secret}

    def joined(self, session_id: int) -> None:
        """A session has joined: a visitor's, or any other."""
        admission = self._admitted.join(session_id)
        opening = admission.opening if admission else None
        self._marks.joined(session_id, opening)
        if admission:
            self._presence.joined(session_id, admission.presence)
        if admission and opening and self._marks.missed(opening, session_id, *_names(admission.session)):
            closing.close(self, session_id, closing.SESSION_IS_OVER, "a command came while it joined")
        if admission and admission.expires_at is not None:
            self._expiries.set(session_id, admission.expires_at)

    def left(self, session_id: int) -> None:
        """A session is gone; may be called more than once."""
        self._marks.left(session_id)
        self._presence.left(session_id)
        self._expiries.forget(session_id)
        self.gave_up(session_id)

    def gave_up(self, session_id: int) -> None:
        """A session is gone, or its client left before it joined: the application need not begin with its requests."""
        self._admitted.leave(session_id)
        if self._waiting.leave(session_id):
            if not self._gone:
                reactor.callLater(0, self._tell_gone)
            self._gone.append(session_id)

    def _tell_gone(self) -> None:
        gone, self._gone = self._gone, []
        self.publish(uris.APP_GONE, gone)

    def _end(self, session_id: int) -> None:
        closing.close(self, session_id, closing.SESSION_IS_OVER, "session expired")

    def _session(self, session_id: int) -> dict[str, Any] | None:
        session = self._admitted.get(session_id)
        return session.to_wire() if session else None

    # -- subscribing and calling ---------------------------------------------------------------------------------------

    async def authorize(
        self, session: dict[str, Any], uri: str, action: str, options: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """
        Decide a request of a session, as a dynamic authorizer of Crossbar: ``session`` has ``session``, ``authid``,
            ….

        Returns:
            ``{"allow": bool, "cache": False, "disclose": True}``.

        Raises:
            ApplicationError: no decision; the client may try again.
        """
        outcomes = self.counters.calls if action == "call" else self.counters.subscriptions
        try:
            permission = await self._permission(session, uri, action, options or {})
        except CallerLeft:
            outcomes["undecided"] += 1
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None
        except ApplicationError:
            outcomes["undecided"] += 1
            raise
        outcomes["allowed" if permission.allow else "denied"] += 1
        if not permission.allow:
            self.log.info(
                "{action} of {uri} denied to {authid}: {reason}",
                action=action,
                uri=uri,
                authid=session["authid"],
                reason=permission.reason,
            )
            if action == "subscribe":
                self._remember_denial(session, uri, (options or {}).get("match") or "exact", permission.reason)
        # Crossbar's own cache has no user in its key, so it must never remember an answer.
        return {"allow": permission.allow, "cache": False, "disclose": True}

    def _remember_denial(self, session: dict[str, Any], uri: str, match: Match, reason: str) -> None:
        """For ``stork why``."""
        by_backend = self._deciders.is_by_backend(SUBSCRIPTIONS)
        if core.decide_unasked(session["authrole"], "subscribe", uri, match, by_backend=by_backend) is not None:
            by = "node"
        else:
            by = "backend" if by_backend else "application"
        singleton(RecentEvents).note(
            Kind.DENIED,
            session["session"],
            session["authid"],
            (uri[:_MOST_REMEMBERED], match),
            by=by,
            reason=reason[:_MOST_REMEMBERED],
        )

    async def _permission(
        self, details: dict[str, Any], uri: str, action: str, options: Mapping[str, Any]
    ) -> Permission:
        match: Match = options.get("match") or "exact"
        if action == "subscribe" and match == "exact" and uri.startswith(uris.PRESENCE):
            uri = uri.removeprefix(uris.PRESENCE)  # whoever may subscribe to a topic may see who is online there
            if not self._presence.has_presence(uri):
                return Permission(False, reason=f"the feed of {uri} has no presence")
        role, authid = details["authrole"], details["authid"]
        grants = self._admitted.grants(details["session"])
        if core.is_granted(grants, action, uri, match, self._tokens.patterns):
            return Permission(True)
        by_backend = self._deciders.is_by_backend(SUBSCRIPTIONS)
        decided = core.decide_unasked(role, action, uri, match, by_backend=by_backend)
        if decided is not None:
            return decided
        session = self._admitted.get(details["session"])
        key = core.cache_key(session, role, authid, action, uri, match)
        # A session that another authenticator of config.json has let in: only Crossbar's details of it are known.
        known = session or ClientSession.parse({"realm": self._realm, **details})
        return await self._verdicts.get(key, lambda: self._ask(details, known, uri, action, dict(options), key))

    async def _ask(
        self,
        details: dict[str, Any],
        session: ClientSession,
        uri: str,
        action: str,
        options: dict[str, Any],
        key: Hashable,
    ) -> Permission:
        asked_app = (session.to_wire(), uri, action, options, self.settings.application_timeout_s)
        question = Request(uris.APP_TOPIC_AUTH, asked_app, repeats=key)
        if action == "subscribe":
            # Backends are not asked about calls: Virge::Stork's authorizers refuse every call of a browser.
            asked = (details, uri, action, options)
            by_app = self._deciders.application(SUBSCRIPTIONS)
            question = replace(question, app_uri=by_app, backend_uri=uris.BACKEND_TOPIC_AUTH, backend_args=asked)
        try:
            with self._waiting.asking_for(details["session"]):
                answered_by, answer = await self._application.ask(question)
            if answered_by == uris.BACKEND_TOPIC_AUTH:
                return read_backend_permission(answer)
            permission = Permission.from_wire(answer)
            if action != "subscribe" or not self._application.passes_over(uris.BACKEND_TOPIC_AUTH):
                return permission
            if not permission.allow:
                raise Unavailable("the backend does not answer, and the application does not permit it")
            return replace(permission, cache_s=0.0)
        except CallerLeft:
            raise
        except (Unavailable, InvalidAnswer) as error:
            self.log.warn("{action} of {uri} not decided: {error}", action=action, uri=uri, error=error)
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None


def _names(session: ClientSession) -> tuple[str, str]:
    return session.authid, session.role
