"""An application, as its author writes it: one ``Stork``, and decorators for its rules."""

import difflib
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, Unpack

from stork_node.application.declarations import Declarations, Handler, SourceLocation, declare_once, declared_twice
from stork_node.application.feeds import (
    LEAVE_AFTER_S,
    Feed,
    NamedVerifier,
    Pattern,
    Verifier,
    check_cache_s,
    check_patterns,
)
from stork_node.application.pushers import AsyncPusher, BlockingPusher, NotRunning
from stork_node.application.rpc import Invoke, Procedure
from stork_node.application.running.thread_switching import is_on_loop
from stork_node.clients.push_options import PushOptions
from stork_node.errors import DeclarationError, Problem, StorkError
from stork_node.protocol.commands.results import CommandOptions, CommandResult

F = TypeVar("F", bound=Callable[..., Any])


class Stork:
    """
    An application: the rules for joins, subscriptions and calls, and handlers of sessions.

    Handlers are plain functions, which run in threads and may block, or ``async def`` functions, which share one
    asyncio loop and must not block. Decorators return the function unchanged. Everything is forbidden unless it is
    declared.

    Args:
        around: called for each run of a handler, in its thread. It returns a context manager for the run, such as
            one that gives back the ORM's connections.

    Raises:
        DeclarationError: from every declaring method: for a second declaration (naming both locations), or a wrong
            one.
    """

    def __init__(self, around: Callable[[], AbstractContextManager[Any]] | None = None) -> None:
        around = around or nullcontext
        if not callable(around) or inspect.isgeneratorfunction(around) or inspect.isasyncgenfunction(around):
            raise DeclarationError(
                f"{SourceLocation.of_caller()}: around is {around!r}, want a function that gives a context manager "
                "(a generator function becomes one by @contextlib.contextmanager)"
            )
        self.around = around
        self.declared = Declarations()
        self._pushers: tuple[BlockingPusher, AsyncPusher] | None = None

    def authenticator(self, function: F) -> F:
        """Decide with ``function`` (request: AuthRequest) about joins; it returns a ``Principal`` or a ``Deny``."""
        handler = Handler.declare("authenticator", function, "request")
        if self.declared.authenticator:
            raise declared_twice("the authenticator", self.declared.authenticator.location, handler.location)
        self.declared.authenticator = handler
        return function

    def feed(
        self,
        version: str,
        name: str,
        patterns: Sequence[Pattern] = (),
        presence: bool = False,
        leave_after_s: float = LEAVE_AFTER_S,
    ) -> Feed:
        """
        Let clients subscribe to the topics ``version.name.*``, if its verifiers agree.

        Args:
            version: first part of the topics, such as ``v1``.
            name: second part, such as ``orders``.
            patterns: ``"prefix"``, ``"wildcard"``, or both: with these, clients may subscribe to many topics at
                once. The verifiers must accept patterns: ``@orders.verify(patterns=True)``.
            presence: whether clients may see who is online in a topic: who is subscribed to it, not by a pattern.
            leave_after_s: how long a user may be away, in seconds, before it counts as offline.
        """
        feed = Feed(version, name, patterns, presence, leave_after_s)
        declare_once(self.declared.feeds, (version, name), feed, f"feed {feed}", lambda other: other.location)
        return feed

    def verifier(self, name: str, cache_s: float = 0.0, patterns: bool = False) -> Callable[[F], F]:
        """
        Declare a verifier that feeds use by its name: ``orders.verify("named")``.

        Args:
            name: the name for feeds.
            cache_s: seconds that an answer holds for the same user and topic, unless the feed sets its own.
            patterns: whether it accepts patterns, so that feeds with patterns may use it; see ``Feed.verify``.
        """
        if not isinstance(name, str) or not name:
            raise DeclarationError(f'{SourceLocation.of_caller()}: a verifier needs a name: @stork.verifier("admin")')
        seconds, knows_patterns = check_cache_s(cache_s), check_patterns(patterns)

        def declare(function: F) -> F:
            verifier = Verifier(Handler.declare("verifier", function, "session", "topic"), seconds, knows_patterns)
            what = f"verifier {name!r}"
            declare_once(self.declared.verifiers, name, verifier, what, lambda other: other.handler.location)
            return function

        return declare

    def rpc(
        self,
        uri: str,
        invoke: Invoke = "single",
        allow: bool | Callable[..., Any] = False,
        json_string: bool = False,
        may_take_s: float | None = None,
    ) -> Callable[[F], F]:
        """
        Register a procedure: ``function`` (call: Call) returns the result, or raises ``CallError``.

        Args:
            uri: the procedure's URI; not under ``wamp.``, ``crossbar.`` or ``io.virge.stork.``.
            invoke: WAMP's invocation policy: it chooses the callee if several processes register the procedure with
                one router (such as a backend of yours beside the application). With ``"single"`` only one process can
                register it.
            allow: the clients that may call it (backends always may): True all, False none, or a function that is
                called with (session) and returns ``True``, ``False`` or ``Deny(reason)``.
            json_string: the argument and the result travel as one string of JSON each, as in Virge::Stork.
            may_take_s: maximum time of the function, in seconds. Above it a plain function counts as hung, and an
                ``async def`` is cancelled. None: the setting ``hung_after_s`` for plain functions, and no limit for
                others; 0: no limit.
        """

        def declare(function: F) -> F:
            procedure = Procedure.declare(uri, function, invoke, allow, json_string, may_take_s)
            what = f"procedure {uri}"
            declare_once(self.declared.procedures, uri, procedure, what, lambda other: other.handler.location)
            return function

        return declare

    def on_join(self, function: F) -> F:
        """Call ``function`` (session: ClientSession) after a client has joined."""
        self.declared.on_join.append(Handler.declare("on_join handler", function, "session"))
        return function

    def on_leave(self, function: F) -> F:
        """Call ``function`` (session: ClientSession) after a client has left, and after its on_join handlers."""
        self.declared.on_leave.append(Handler.declare("on_leave handler", function, "session"))
        return function

    def on_online(self, function: F) -> F:
        """
        Call ``function`` (user, topic) after a user has come online in a topic of a feed with presence.

        ``user`` is the authid. ``topic`` is None in a further call for a user who was nowhere online before. One
        process of the deployment is called, at least once, in the order of each user, also for what came about while
        no application was there. A function that raises is called again.
        """
        self.declared.on_online.append(Handler.declare("on_online handler", function, "user", "topic"))
        return function

    def on_offline(self, function: F) -> F:
        """As ``on_online``, for a user who is gone; ``topic`` is None where the user is online nowhere any more."""
        self.declared.on_offline.append(Handler.declare("on_offline handler", function, "user", "topic"))
        return function

    def on_start(self, function: F) -> F:
        """Call ``function`` () before the first client is served. An exception keeps the application from starting."""
        self.declared.on_start.append(Handler.declare("on_start handler", function))
        return function

    def on_stop(self, function: F) -> F:
        """Call ``function`` () when the application stops."""
        self.declared.on_stop.append(Handler.declare("on_stop handler", function))
        return function

    def push(
        self, topics: str | Iterable[str], type: str, data: Any = None, **options: Unpack[PushOptions]
    ) -> Awaitable[str]:
        """
        Push, in an ``async def`` handler: ``await stork.push(["v1.orders.42"], type="paid", data={"id": 42})``.

        Arguments, result and errors are those of ``AsyncPublisher.push``.

        Raises:
            NotRunning: outside a node and an ``AppTester``.
            StorkError: in a plain ``def`` handler, where nothing would await it.
        """
        publisher = self.async_publisher
        if not is_on_loop():
            raise StorkError(
                "stork.push is awaited in async def handlers: a plain def handler uses stork.publisher.push(…)"
            )
        return publisher.push(topics, type, data, **options)

    def disconnect(self, **options: Unpack[CommandOptions]) -> Awaitable[CommandResult]:
        """
        End sessions for good, in an ``async def`` handler: ``await stork.disconnect(authid="7", reason="signed out")``.

        Arguments, result and errors are those of ``AsyncPublisher.command``. A plain ``def`` handler uses
        ``stork.publisher.command("disconnect", …)``; the same holds for the other commands.
        """
        return self._command("disconnect", options)

    def unsubscribe(self, **options: Unpack[CommandOptions]) -> Awaitable[CommandResult]:
        """End subscriptions: ``await stork.unsubscribe(topic="v1.orders.42", authid="7")``; see ``disconnect``."""
        return self._command("unsubscribe", options)

    def refresh(self, **options: Unpack[CommandOptions]) -> Awaitable[CommandResult]:
        """Have sessions come back with new tickets: ``await stork.refresh(authid="7")``; see ``disconnect``."""
        return self._command("refresh", options)

    def forget(self, **options: Unpack[CommandOptions]) -> Awaitable[CommandResult]:
        """Have the nodes forget answers of verifiers: ``await stork.forget(authid="7")``; see ``disconnect``."""
        return self._command("forget", options)

    def _command(self, kind: str, options: CommandOptions) -> Awaitable[CommandResult]:
        publisher = self.async_publisher
        if not is_on_loop():
            raise StorkError(
                f"stork.{kind} is awaited in async def handlers: a plain def handler uses "
                f'stork.publisher.command("{kind}", …)'
            )
        return publisher.command(kind, **options)

    @property
    def async_publisher(self) -> AsyncPusher:
        """
        The ``AsyncPublisher`` behind ``push``, for its ``push_many`` and ``position``.

        Raises:
            NotRunning: outside a node and an ``AppTester``.
        """
        if not self._pushers:
            raise NotRunning
        return self._pushers[1]

    @property
    def publisher(self) -> BlockingPusher:
        """
        The ``Publisher`` for plain ``def`` handlers, which blocks: ``stork.publisher.push([…], type=…)``.

        Raises:
            NotRunning: outside a node and an ``AppTester``.
        """
        if not self._pushers:
            raise NotRunning
        return self._pushers[0]

    def connect(self, publisher: BlockingPusher, async_publisher: AsyncPusher) -> None:
        """
        Set the objects behind ``publisher`` and ``push``. The code that runs an application calls this before its
        on_start handlers.
        """
        self._pushers = publisher, async_publisher

    @property
    def procedures(self) -> tuple[Procedure, ...]:
        """The declared procedures, in order."""
        return tuple(self.declared.procedures.values())

    @property
    def patterns(self) -> dict[str, tuple[str, ...]]:
        """The patterns of each feed that has some, by its name (``v1.orders``)."""
        return {str(feed): feed.patterns for feed in self.declared.feeds.values() if feed.patterns}

    @property
    def presence(self) -> dict[str, int]:
        """How long a user may be away, in ms, by each feed with presence (``v1.room``)."""
        feeds = self.declared.feeds.values()
        return {str(feed): round(feed.leave_after_s * 1000) for feed in feeds if feed.presence}

    @property
    def presence_verified(self) -> list[str]:
        """The feeds that have a verifier of presence."""
        return [str(feed) for feed in self.declared.feeds.values() if feed.presence_verifiers]

    @property
    def follows_sessions(self) -> bool:
        """Whether there is an on_join or on_leave handler."""
        return bool(self.declared.on_join or self.declared.on_leave)

    @property
    def follows_presence(self) -> bool:
        """Whether there is an on_online or on_offline handler."""
        return bool(self.declared.on_online or self.declared.on_offline)

    def problems(self) -> list[Problem]:
        """Problems of the declarations as a whole, each with its location; empty if there are none."""
        return [problem for feed in self.declared.feeds.values() for problem in self._problems_of(feed)]

    def _problems_of(self, feed: Feed) -> Iterator[Problem]:
        if feed.presence_verifiers and not feed.presence:
            yield Problem(
                str(feed.location), f"the feed {feed} has a verifier of presence, and no presence (want presence=True)"
            )
        for check in feed.presence_verifiers:
            if isinstance(check, NamedVerifier) and check.name not in self.declared.verifiers:
                yield Problem(str(check.location), self._unknown(feed, check.name))
        for check in feed.verifiers:
            verifier = self.declared.verifiers.get(check.name) if isinstance(check, NamedVerifier) else check
            if verifier is None and isinstance(check, NamedVerifier):
                yield Problem(str(check.location), self._unknown(feed, check.name))
            elif verifier and feed.patterns and not verifier.patterns:
                handler = verifier.handler
                yield Problem(
                    str(handler.location),
                    f"the verifier {handler.name} does not say patterns=True, and the feed {feed} ({feed.location}) "
                    "has patterns: it would take the beginning that a pattern covers for the id of one topic",
                )

    def _unknown(self, feed: Feed, name: str) -> str:
        near = difflib.get_close_matches(name, self.declared.verifiers, n=1)
        hint = f", did you mean {near[0]!r}?" if near else f' (want a function under @stork.verifier("{name}"))'
        return f"feed {feed} asks the verifier {name!r}, which is not declared{hint}"
