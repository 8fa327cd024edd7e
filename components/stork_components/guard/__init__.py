"""
The guard, in the router process: asks the application about joins, subscriptions and calls, and never waits for ever.

Registers ``io.virge.stork.guard.auth`` (dynamic ticket authenticator), ``….topic_auth`` (dynamic authorizer of the
role ``frontend``), ``….backend`` (dynamic WAMP-CRA authenticator), ``….session`` (what the application said of one) and
``….rules`` (takes the application's rules for tokens).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.internet import reactor

from stork_components.asking.application_client import ApplicationClient
from stork_components.asking.registrations import Registrations
from stork_components.asking.verdicts import Verdicts
from stork_components.asking.waiting_sessions import WaitingSessions
from stork_components.guard.joining import Joining
from stork_components.guard.parts import Parts
from stork_components.guard.permitting import Permitting
from stork_components.guard.settings import GuardSettings
from stork_components.tickets.token_gate import TokenGate
from stork_crossbar.component import in_turn
from stork_crossbar.connections import closing
from stork_crossbar.connections.expiries import Expiries
from stork_crossbar.internals import registrations
from stork_crossbar.limits import client_limits
from stork_crossbar.opening import handshake
from stork_crossbar.roles import DirectCalls, DirectGuard
from stork_node import clock
from stork_node.guard import core
from stork_node.guard.admitted import Admitted
from stork_node.guard.counters import GuardCounters
from stork_node.guard.deciders import SUBSCRIPTIONS, Deciders
from stork_node.guard.feed_rules import FeedRules
from stork_node.metrics.node_figures import GuardState
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.nodes.session_marks import SessionMarks
from stork_node.presence.handlers import PresenceHandlers
from stork_node.presence.subscribers import PresenceSubscribers
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.commands.documents import Command

__all__ = ["Guard", "GuardSettings"]


class Guard(DirectGuard):
    """Is asked by WAMP, as in stock Crossbar, or called directly (``DirectCalls``): then it needs no meta events."""

    Settings = GuardSettings
    settings: GuardSettings

    async def start(self) -> None:
        handshake.trust(self.settings.trusted_proxies)
        handshake.allow(self.settings.origins)
        client_limits.bounds().set(self.settings.limits)
        self.counters = GuardCounters(messages_refused=client_limits.bounds().messages_refused)
        self._marks = singleton(SessionMarks)
        self._presence = singleton(PresenceSubscribers)
        self._verdicts = verdicts = Verdicts(reactor, self.settings.cache_entries, self.counters, core.user_of)
        batches = {uris.APP_AUTH: uris.APP_AUTH_BATCH, uris.APP_TOPIC_AUTH: uris.APP_TOPIC_AUTH_BATCH}
        callees = [uris.BACKEND_AUTH, uris.BACKEND_TOPIC_AUTH, *batches.keys(), *batches.values()]
        # A new callee may decide otherwise than the one before: a backend beside the application, or a new release.
        known = Registrations(reactor, callees, registered=self._forget)
        deciders = Deciders(self.settings.backends_decide, known.has)
        singleton(ServedFeeds).ask_backend(partial(deciders.is_by_backend, SUBSCRIPTIONS))
        self._feeds = singleton(FeedRules)
        self._feeds.ask_backend(partial(deciders.is_by_backend, SUBSCRIPTIONS))
        application = ApplicationClient(
            self,
            known,
            reactor,
            application_timeout_s=self.settings.application_timeout_s,
            starting_timeout_s=self.settings.starting_timeout_s,
            batches=batches,
        )
        self.parts = parts = Parts(
            self.settings,
            self.counters,
            self.log,
            lambda: self._realm,
            application,
            known,
            deciders,
            TokenGate(reactor),
            Admitted(),
            WaitingSessions(),
        )
        self._joining, self._permitting = Joining(parts), Permitting(parts, verdicts)
        self._gone: list[int] = []
        self._expiries = Expiries(reactor, clock.wall, self._end)
        await known.watch(self, registrations.look_up(self))
        if not singleton(DirectCalls).are_made:
            await self.subscribe(lambda details, **_: self.joined(details["session"]), "wamp.session.on_join")
            await self.subscribe(lambda session_id, *_, **__: self.left(session_id), "wamp.session.on_leave")
        await self.register(lambda *args: in_turn(self.authenticate(*args)), uris.GUARD_AUTH)
        await self.register(lambda *args: in_turn(self.authorize(*args)), uris.GUARD_TOPIC_AUTH)
        await self.register(self._backend, uris.GUARD_BACKEND)
        await self.register(self._session, uris.GUARD_SESSION)
        await self.register(self._take_rules, uris.GUARD_RULES)

    def _take_rules(self, wire: Mapping[str, Any]) -> None:
        self.parts.tokens.take(wire)
        self._presence.set_feeds(wire.get("presence") or {})
        self._permitting.presence_verified = frozenset(wire.get("presence_verified") or ())
        singleton(PresenceHandlers).are_declared = bool(wire.get("follows_presence"))
        self._feeds.take(wire.get("declared") or (), wire.get("open") or ())

    def _forget(self) -> None:
        self._verdicts.forget()
        self.parts.application.callees_changed()

    def forget_answers(self, because: tuple[Command, frozenset[str]] | None) -> int:
        """As ``DirectGuard``. Late answers to requests that nobody waits for are all forgotten."""
        self.parts.application.forget()
        if because is None:
            return self._verdicts.drop(lambda key: True)
        return self._verdicts.drop(lambda key: core.is_named(*because, key), because[0].authid)

    def missing(self) -> tuple[str, ...]:
        """The procedures without which nobody can join or subscribe, and which nobody has registered now."""
        self.parts.callees.compare()
        return self.parts.deciders.missing()

    def state(self) -> GuardState:
        """The current state, for metrics."""
        return GuardState(len(self._verdicts), self._joining.pending.number)

    async def authenticate(self, realm: str, authid: str | None, details: dict[str, Any]) -> dict[str, Any]:
        """As ``Joining.authenticate``: a dynamic authenticator of Crossbar."""
        return await self._joining.authenticate(realm, authid, details)

    async def authorize(
        self, session: dict[str, Any], uri: str, action: str, options: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """As ``Permitting.authorize``: a dynamic authorizer of Crossbar."""
        return await self._permitting.authorize(session, uri, action, options)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def _backend(self, realm: str, authid: str | None, details: dict[str, Any]) -> dict[str, Any]:
        """The secret for WAMP-CRA. Without a secret in the settings, no backend can join."""
        if not self.settings.backend_secret or authid != self.settings.backend_authid:
            why = f"no backend named {authid!r}" if self.settings.backend_secret else "no backend_secret is set"
            self._joining.turn_away("no_backend", details, why)
        return {"authid": self.settings.backend_authid, "role": "backend", "secret": self.settings.backend_secret}

    def joined(self, session_id: int) -> None:
        """A session has joined: a visitor's, or any other."""
        admission = self.parts.admitted.join(session_id)
        opening = admission.opening if admission else None
        self._marks.joined(session_id, opening)
        if admission:
            self._presence.joined(session_id, admission.presence)
        if admission and opening:
            session = admission.session
            if self._marks.missed(opening, session_id, session.authid, session.role):
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
        self.parts.admitted.leave(session_id)
        if self.parts.waiting.leave(session_id):
            if not self._gone:
                reactor.callLater(0, self._tell_gone)
            self._gone.append(session_id)

    def _tell_gone(self) -> None:
        gone, self._gone = self._gone, []
        self.publish(uris.APP_GONE, gone)

    def _end(self, session_id: int) -> None:
        closing.close(self, session_id, closing.SESSION_IS_OVER, "session expired")

    def _session(self, session_id: int) -> dict[str, Any] | None:
        session = self.parts.admitted.get(session_id)
        return session.to_wire() if session else None
