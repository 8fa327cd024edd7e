"""Who may subscribe and call: decided by grants and rules, and else by the application or a backend."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

from autobahn.wamp.exception import ApplicationError

from stork_components.asking.application_client import CallerLeft, Request, Unavailable
from stork_components.asking.verdicts import Verdicts
from stork_components.guard.parts import Parts
from stork_node.application.permission import Permission
from stork_node.application.values import ClientSession
from stork_node.errors import InvalidAnswer
from stork_node.guard import core
from stork_node.guard.answers import read_backend_permission
from stork_node.guard.deciders import SUBSCRIPTIONS
from stork_node.presence.subscribers import PresenceSubscribers
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.topics import Match
from stork_node.why.recent import Kind, RecentEvents

# Of a topic and a reason that are remembered.
_MOST_REMEMBERED = 255


class Permitting:
    """
    Attributes:
        presence_verified: the feeds that have a verifier of presence.
    """

    def __init__(self, parts: Parts, verdicts: Verdicts) -> None:
        self._parts, self._verdicts = parts, verdicts
        self._presence = singleton(PresenceSubscribers)
        self.presence_verified: frozenset[str] = frozenset()

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
        outcomes = self._parts.counters.calls if action == "call" else self._parts.counters.subscriptions
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
            self._parts.log.info(
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
        by_backend = self._parts.deciders.is_by_backend(SUBSCRIPTIONS)
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
            return await self._presence_permission(details, uri.removeprefix(uris.PRESENCE))
        role, authid = details["authrole"], details["authid"]
        grants = self._parts.admitted.grants(details["session"])
        if core.is_granted(grants, action, uri, match, self._parts.tokens.patterns):
            return Permission(True)
        by_backend = self._parts.deciders.is_by_backend(SUBSCRIPTIONS)
        decided = core.decide_unasked(role, action, uri, match, by_backend=by_backend)
        if decided is not None:
            return decided
        session = self._parts.admitted.get(details["session"])
        key = core.cache_key(session, role, authid, action, uri, match)
        # A session that another authenticator of config.json has let in: only Crossbar's details of it are known.
        known = session or ClientSession.parse({"realm": self._parts.realm(), **details})
        return await self._verdicts.get(key, lambda: self._ask(details, known, uri, action, dict(options), key))

    async def _presence_permission(self, details: dict[str, Any], topic: str) -> Permission:
        """Whoever may subscribe to a topic may see who is online there, and whom a verifier of presence lets."""
        if not self._presence.has_presence(topic):
            return Permission(False, reason=f"the feed of {topic} has no presence")
        permission = await self._permission(details, topic, "subscribe", {})
        if permission.allow or topic.rpartition(".")[0] not in self.presence_verified:
            return permission
        return await self._permission(details, topic, "presence", {})

    async def _ask(
        self,
        details: dict[str, Any],
        session: ClientSession,
        uri: str,
        action: str,
        options: dict[str, Any],
        key: Hashable,
    ) -> Permission:
        asked_app = (session.to_wire(), uri, action, options, self._parts.settings.application_timeout_s)
        question = Request(uris.APP_TOPIC_AUTH, asked_app, repeats=key)
        if action == "subscribe":
            # Backends are not asked about calls: Virge::Stork's authorizers refuse every call of a browser.
            asked = (details, uri, action, options)
            by_app = self._parts.deciders.application(SUBSCRIPTIONS)
            question = replace(question, app_uri=by_app, backend_uri=uris.BACKEND_TOPIC_AUTH, backend_args=asked)
        try:
            with self._parts.waiting.asking_for(details["session"]):
                answered_by, answer = await self._parts.application.ask(question)
            if answered_by == uris.BACKEND_TOPIC_AUTH:
                return read_backend_permission(answer)
            permission = Permission.from_wire(answer)
            if action != "subscribe" or not self._parts.application.passes_over(uris.BACKEND_TOPIC_AUTH):
                return permission
            if not permission.allow:
                raise Unavailable("the backend does not answer, and the application does not permit it")
            return replace(permission, cache_s=0.0)
        except CallerLeft:
            raise
        except (Unavailable, InvalidAnswer) as error:
            self._parts.log.warn("{action} of {uri} not decided: {error}", action=action, uri=uri, error=error)
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None
