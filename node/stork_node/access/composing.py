"""The application as config.json describes it: app.py, ``http`` and ``feeds``, and the rules for the guard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stork_node.access.declaring import Post, cannot_post, declare
from stork_node.access.settings import Feeds, HttpSettings
from stork_node.application import loading
from stork_node.application.auth_request import AuthRequest
from stork_node.application.declarations import Handler, SourceLocation
from stork_node.application.stork import Stork
from stork_node.application.summary import Summary
from stork_node.application.values import Deny
from stork_node.config.settings import below
from stork_node.errors import ConfigError, Problem
from stork_node.tokens.settings import JwtSettings, TokenRules, token_rules

DEFAULT_APP = "app:stork"
_NO_TOKENS, _NOBODY = JwtSettings(), HttpSettings()


@dataclass(frozen=True)
class Access:
    """
    The settings. ``app`` is ``module:variable``, or empty: there is no app.py. An app.py that is missing is none, if
    something else decides about joins or feeds, and ``app`` is the default.
    """

    app: str = DEFAULT_APP
    jwt: JwtSettings = _NO_TOKENS
    http: HttpSettings = _NOBODY
    feeds: Feeds = ()


@dataclass(frozen=True)
class Application:
    """
    ``folder``: the folder of app.py. ``notes``: sentences for the log about rules that have no effect.
    ``asks_about_tickets``: whether ``http.connect`` decides about them.
    """

    stork: Stork
    tokens: TokenRules | None
    folder: Path
    notes: Sequence[str] = ()
    asks_about_tickets: bool = False

    def summary(self) -> Summary:
        """What it declares, for people."""
        return Summary.of(self.stork, self.folder)

    def rules(self) -> dict[str, Any]:
        """
        The rules for the guard, as JSON values: ``{"jwt", "patterns", "presence", "presence_verified",
        "follows_presence", "feeds", "declared", "open"}``.
        """
        return {
            "jwt": self.tokens.to_wire() if self.tokens else None,
            "patterns": {feed: list(patterns) for feed, patterns in self.stork.patterns.items()},
            "presence": self.stork.presence,
            "presence_verified": self.stork.presence_verified,
            "follows_presence": self.stork.follows_presence,
            "feeds": self._only_feeds(),
            "declared": [str(feed) for feed in self.stork.declared.feeds.values()],
            "open": [str(feed) for feed in self.stork.declared.feeds.values() if not feed.verifiers],
        }

    def _only_feeds(self) -> list[str] | None:
        """The feeds, if clients may subscribe to no others; a token and an answer of ``http.connect`` may name any."""
        declared = self.stork.declared
        if self.tokens or self.asks_about_tickets or not declared.decides_subscriptions:
            return None
        return [str(feed) for feed in declared.feeds.values()]


def compose(access: Access, search_path: Sequence[str], path: str, post: Post = cannot_post) -> Application:
    """
    Load app.py, and add the rules of config.json.

    Args:
        access: the settings.
        search_path: folders for app.py; the first one is also the folder of relative paths in the settings.
        path: the name of the settings in problems, such as ``workers[1].components[0].extra``.
        post: sends a request of ``http``.

    Raises:
        ConfigError: problems of app.py, of the rules, or of the files that they name.
    """
    folder = loading.find_folder(access.app, search_path)
    try:
        tokens = token_rules(access.jwt, folder)
    except ConfigError as error:
        own = below(path, "jwt")
        raise ConfigError([Problem(below(own, problem.path), problem.text) for problem in error.problems]) from None
    decides = bool(tokens or access.http.decides or access.feeds)
    is_missing = not access.app or (access.app == DEFAULT_APP and decides and not loading.exists(access.app, folder))
    stork = Stork() if is_missing else loading.load(access.app, folder)
    notes = declare(stork, access.http, access.feeds, path, post)
    if problems := stork.problems():
        raise ConfigError(problems)
    if tokens and not stork.declared.decides_joins:
        stork.declared.authenticator = Handler(
            "authenticator", _deny_other_tickets, SourceLocation(below(path, "jwt"), 0), "jwt"
        )
    return Application(stork, tokens, folder, notes, bool(access.http.connect))


async def _deny_other_tickets(_request: AuthRequest) -> Deny:
    return Deny("the ticket is no token, and nothing else decides about tickets")
