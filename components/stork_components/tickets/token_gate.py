"""Checks tickets that are tokens, by the rules that the application hands over (``jwt`` in config.json)."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from twisted.internet import defer

from stork_components.asking.application_client import Unavailable
from stork_components.tickets.key_set import KeySet, at_url, in_file
from stork_node import clock
from stork_node.application.grants import Patterns
from stork_node.application.values import Deny
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.process_state import singleton
from stork_node.tokens.checking import UNKNOWN_KEY, TokenChecker, Unverifiable, looks_like_token, unknown_key
from stork_node.tokens.claims import Bearer
from stork_node.tokens.settings import TokenRules


class TokenGate:
    """
    Attributes:
        are_known: whether an application has handed over rules.
        patterns: the patterns that each feed has.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.are_known = False
        self.patterns: Patterns = {}
        self._rules: TokenRules | None = None
        self._checker: TokenChecker | None = None
        self._sets: list[KeySet] = []

    def take(self, wire: Mapping[str, Any]) -> None:
        """
        Take the rules of an application that starts: ``{"jwt": TokenRules.to_wire or None, "patterns": {feed: […]},
        "feeds": […] or None}``.
        """
        singleton(ServedFeeds).declare(wire["feeds"])
        self.patterns = {feed: tuple(matches) for feed, matches in wire["patterns"].items()}
        rules = TokenRules.from_wire(wire["jwt"]) if wire["jwt"] else None
        if rules != self._rules or not self.are_known:
            self._follow(rules)
        self.are_known = True

    def _follow(self, rules: TokenRules | None) -> None:
        for each in self._sets:
            each.stop()
        self._sets = []
        earlier, self._rules = self._checker, rules
        self._checker = TokenChecker(rules.claims, rules.verifying_keys()) if rules else None
        if rules is None or self._checker is None:
            return
        if earlier:
            self._checker.inherit(earlier, {*rules.jwks_files, *rules.jwks_urls})
        took = self._checker.fetched
        for path in rules.jwks_files:
            fetch = in_file(path)
            key_set = KeySet(self._reactor, path, fetch, symmetric=True, took=took, refresh_s=rules.refresh_s)
            self._sets.append(key_set)
        for url in rules.jwks_urls:
            fetch = at_url(self._reactor, url)
            key_set = KeySet(self._reactor, url, fetch, symmetric=False, took=took, refresh_s=rules.refresh_s)
            self._sets.append(key_set)

    def is_token(self, ticket: Any) -> TypeGuard[str]:
        """Whether this ticket is decided here, and not by an application."""
        return self._checker is not None and looks_like_token(ticket)

    async def check(self, token: str) -> Bearer | Deny:
        """
        Decide about a token.

        Raises:
            Unavailable: its key is not known, and the keys cannot be fetched.
        """
        decision = self._check(token)
        if decision is not UNKNOWN_KEY:
            return decision
        fetches = await defer.DeferredList([each.renewed() for each in self._sets], consumeErrors=True)
        decision = self._check(token)
        if decision is not UNKNOWN_KEY:
            return decision
        for is_fetched, failure in fetches:
            if not is_fetched:
                raise Unavailable(str(failure.value))
        return unknown_key(token)

    def claimed_user(self, ticket: Any) -> str:
        """The user whom a ticket names, if it is a token; nothing has proven it."""
        return self._checker.claimed_user(ticket) if self._checker and self.is_token(ticket) else ""

    def _check(self, token: str) -> Bearer | Deny | Unverifiable:
        if self._checker is None:  # the rules were taken back meanwhile
            raise Unavailable("tokens are no tickets any more")
        return self._checker.check(token, clock.wall())
