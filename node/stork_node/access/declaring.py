"""Turns ``http`` and ``feeds`` of config.json into declarations of an application, as if app.py made them."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from stork_node.access.http_questions import (
    connect_question,
    read_connect,
    read_subscribe,
    request_headers,
    subscribe_question,
)
from stork_node.access.settings import ALL, BUILT_IN, CLAIM, HTTP, OWN, Feeds, FeedSettings, HttpSettings
from stork_node.application.auth_request import AuthRequest
from stork_node.application.declarations import Handler, SourceLocation
from stork_node.application.feeds import Feed, NamedVerifier, Verifier
from stork_node.application.permission import Permission
from stork_node.application.stork import Stork
from stork_node.application.values import ClientSession, Deny, Principal
from stork_node.errors import ConfigError, NoDecision, Problem
from stork_node.protocol.topics import Topic, feed_id


class HttpAnswer(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def location(self) -> str: ...
    @property
    def body(self) -> bytes: ...


Post = Callable[[str, Mapping[str, str], bytes], Awaitable[HttpAnswer]]
"""Sends a body with headers to an address."""


async def cannot_post(_url: str, _headers: Mapping[str, str], _body: bytes) -> HttpAnswer:
    """The ``Post`` of a check, which asks nobody."""
    raise NoDecision("no request can be sent here")


def declare(stork: Stork, http: HttpSettings, feeds: Feeds, path: str, post: Post = cannot_post) -> list[str]:
    """
    Add the rules of config.json to an application.

    A feed that app.py has, too, gets one more verifier: all have to agree. ``http.connect`` takes the place of app.py's
    authenticator.

    Args:
        stork: the application, which may be empty.
        http: its settings.
        feeds: settings by feed.
        path: where they stand, such as ``workers[1].components[0].extra``.
        post: sends a request; it may raise ``StorkError`` with what went wrong.

    Returns:
        Sentences for the log about rules that have no effect.

    Raises:
        ConfigError: rules that name something that is not there.
    """
    notes = []
    if http.connect:
        location = SourceLocation(f"{path}.http.connect", 0)
        if earlier := stork.declared.authenticator:
            notes.append(f"http.connect of config.json decides about tickets, and {earlier} is not asked")
        handler = Handler("authenticator", partial(_connect, http, post), location, "http.connect")
        stork.declared.authenticator = handler
    problems = list(_problems(stork, http, feeds, path))
    if problems:
        raise ConfigError(problems)
    for name, settings in feeds:
        _declare_feed(stork, http, name, settings, SourceLocation(f'{path}.feeds["{name}"]', 0), post)
    return notes


def _problems(stork: Stork, http: HttpSettings, feeds: Feeds, path: str) -> Iterator[Problem]:
    for name, settings in feeds:
        where = f'{path}.feeds["{name}"].verify'
        if settings.verify == HTTP and not http.subscribe:
            yield Problem(where, "http asks an address, and http.subscribe names none")
        elif settings.verify not in BUILT_IN and settings.verify not in stork.declared.verifiers:
            known = ", ".join((*BUILT_IN, *stork.declared.verifiers))
            yield Problem(where, f"{settings.verify!r} is not a verifier (known are {known})")


def _declare_feed(
    stork: Stork, http: HttpSettings, name: str, settings: FeedSettings, location: SourceLocation, post: Post
) -> None:
    version, _, own_name = name.partition(".")
    feed = stork.declared.feeds.get((version, own_name))
    is_open = feed is None
    if feed is None:
        feed = Feed(version, own_name, ())
        feed.location = location
        stork.declared.feeds[version, own_name] = feed
    feed.patterns = tuple(dict.fromkeys((*feed.patterns, *settings.patterns)))
    if settings.presence:
        feed.presence, feed.leave_after_s = True, settings.leave_after_s
    if settings.verify == ALL and is_open:
        return
    if settings.verify not in BUILT_IN:
        feed.verifiers.append(NamedVerifier(settings.verify, settings.cache_s or None, location))
        return
    functions: dict[str, Callable[..., Any]] = {
        OWN: _is_own,
        ALL: _allow,
        CLAIM: _is_not_claimed,
        HTTP: partial(_subscribe, http, post, settings.cache_s),
    }
    function = functions[settings.verify]
    handler = Handler("verifier", function, location, settings.verify)
    feed.verifiers.append(Verifier(handler, 0.0, patterns=settings.verify != OWN))


async def _is_own(session: ClientSession, topic: Topic) -> bool | Deny:
    if topic.match == "exact" and session.authid and topic.feed_id == feed_id(session.authid):
        return True
    return Deny("it is not the user's own")


async def _allow(_session: ClientSession, _topic: Topic) -> bool:
    return True


async def _is_not_claimed(_session: ClientSession, _topic: Topic) -> Deny:
    # A topic that the ticket names is permitted by the guard, and never comes here.
    return Deny("the ticket does not name it")


async def _connect(http: HttpSettings, post: Post, request: AuthRequest) -> Principal | Deny:
    headers = request_headers(http.secret, http.forward_headers, request.headers)
    answer = await post(http.connect, headers, connect_question(request))
    return read_connect(answer.status, answer.location, answer.body)


async def _subscribe(
    http: HttpSettings, post: Post, cache_s: float, session: ClientSession, topic: Topic
) -> Permission:
    headers = request_headers(http.secret, (), {})
    answer = await post(http.subscribe, headers, subscribe_question(session, topic))
    return read_subscribe(answer.status, answer.location, answer.body, cache_s)
