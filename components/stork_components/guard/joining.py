"""Who may join: a ticket is checked here, if it is a token, and else by the application or a backend."""

from collections.abc import Mapping
from typing import Any, NoReturn

from autobahn.wamp.exception import ApplicationError
from twisted.internet import reactor

from stork_components.asking.application_client import CallerLeft, Request, Unavailable
from stork_components.guard.parts import Parts
from stork_crossbar.limits import client_limits
from stork_crossbar.opening import handshake
from stork_node import clock
from stork_node.application.grants import Grants
from stork_node.application.values import ClientSession, Deny, peer_host
from stork_node.errors import InvalidAnswer
from stork_node.guard import core
from stork_node.guard.admitted import Admission
from stork_node.guard.answers import check_role, read_backend_ticket_answer, read_ticket_answer
from stork_node.guard.deciders import JOINS
from stork_node.limits.pending import Pending
from stork_node.nodes.revocations import Revocations
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.nodes.session_marks import SessionMarks
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.tokens.checking import looks_like_token
from stork_node.tokens.claims import Bearer
from stork_node.why.recent import RecentEvents


class Joining:
    """
    Attributes:
        pending: joins that are being answered.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._marks = singleton(SessionMarks)
        self._served = singleton(ServedFeeds)
        self.pending = Pending(parts.settings.pending_joins, "joins")

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
            self.turn_away(core.refusal_case(refused), details, refused.reason)
        if reason := self.pending.excess(address):
            self.turn_away("unavailable", details, reason)
        opening = self._marks.open()
        try:
            with self.pending.one(address):
                decision = await self._decide(realm, authid, details)
        except CallerLeft:  # nobody hears this answer, and nothing is wrong here
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None
        except (Unavailable, InvalidAnswer) as error:
            self.turn_away("unavailable", details, str(error))
        if isinstance(decision, Deny):
            self._remember_refusal(authid, details, decision.reason)
            self.turn_away(core.refusal_case(decision), details, decision.reason)
        principal = decision.principal
        if self._parts.admitted.count(principal.authid, reactor.seconds()) >= client_limits.limits().sessions_per_user:
            client_limits.note("sessions_per_user", principal.authid)
            self._refuse("limit")
        session = ClientSession.by_ticket(principal, details["session"], realm, details["transport"]["peer"])
        if self._marks.missed(opening, session.id, session.authid, session.role):
            self.turn_away("unavailable", details, "a command came while the ticket was being checked")
        info = principal.presence_json
        admission = Admission(session, principal.expires_at_s, decision.grants, decision.issued_at, opening, info)
        self._parts.admitted.expect(admission, reactor.seconds())
        self._parts.counters.joins += 1
        return {"authid": principal.authid, "role": principal.role, "extra": principal.extra}

    async def _decide(self, realm: str, authid: str | None, details: dict[str, Any]) -> Bearer | Deny:
        """Who the ticket lets in: decided here, if it is a token, and else by an application."""
        ticket = details.get("ticket")
        if looks_like_token(ticket):
            await self._rules_known()
            if self._parts.tokens.is_token(ticket):
                found = await self._parts.tokens.check(ticket)
                if isinstance(found, Deny):
                    return found
                check_role(found.principal, self._parts.settings.roles)
                if singleton(Revocations).refuses(found.principal.authid, found.issued_at):
                    return Deny("the token is older than a command that has disconnected its user")
                return found
        asked = (realm, authid, details)
        within_s = self._parts.settings.application_timeout_s
        by_app = self._parts.deciders.application(JOINS)
        question = Request(by_app, (*asked, within_s), uris.BACKEND_AUTH, asked, core.join_key(*asked))
        with self._parts.waiting.asking_for(details["session"]):
            uri, answer = await self._parts.application.ask(question)
        if uri == uris.BACKEND_AUTH:
            decision = read_backend_ticket_answer(answer, self._parts.settings.roles)
        else:
            decision = read_ticket_answer(answer, self._parts.settings.roles, clock.wall())
        if isinstance(decision, Deny):
            if self._parts.application.passes_over(uris.BACKEND_AUTH):
                raise Unavailable("the backend does not answer, and the application does not know the ticket")
            return decision
        grants = Grants.parse(decision.topics)
        self._served.permit(grants.all_feeds())
        return Bearer(decision, grants)

    async def _rules_known(self) -> None:
        """Wait for the first application of this node: it says whether tickets are tokens, and registers later."""
        give_up_at = reactor.seconds() + self._parts.settings.starting_timeout_s
        while not (
            self._parts.tokens.are_known or any(map(self._parts.callees.has, (uris.APP_AUTH, uris.BACKEND_AUTH)))
        ):
            if not await self._parts.callees.changed(give_up_at - reactor.seconds()):
                raise Unavailable(f"no application started within {self._parts.settings.starting_timeout_s:g} s")

    def _remember_refusal(self, authid: str | None, details: Mapping[str, Any], reason: str) -> None:
        """For ``stork why``."""
        ticket = details.get("ticket")
        if self._parts.tokens.is_token(ticket):
            by = "node"
        else:
            by = "backend" if self._parts.deciders.is_by_backend(JOINS) else "application"
        user = self._parts.tokens.claimed_user(ticket) or authid or ""
        singleton(RecentEvents).note_refused_join(user, details["session"], by, reason)

    def turn_away(self, case: str, details: Mapping[str, Any], reason: str) -> NoReturn:
        """Refuse a join. The log gets the reason; the client gets the case, which says what it can do."""
        log = self._parts.log.warn if case == "unavailable" else self._parts.log.info
        address = peer_host(details["transport"]["peer"])
        log("join from {address} {case}: {reason}", address=address, case=case, reason=reason)
        self._refuse(case)

    def _refuse(self, case: str) -> NoReturn:
        self._parts.counters.refusals[case] += 1
        error, message = uris.REFUSALS[case]
        raise ApplicationError(error, message)
