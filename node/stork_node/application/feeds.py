"""Feeds: each is a ``version.name`` with its topics, and the verifiers that decide on subscriptions to them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast, get_args, overload

from stork_node.application.declarations import Handler, SourceLocation
from stork_node.errors import DeclarationError, InvalidTopic
from stork_node.protocol.presence.limits import LONGEST_ABSENCE_S
from stork_node.protocol.topics import Topic
from stork_node.protocol.uris import RESERVED_TOPICS

Pattern = Literal["prefix", "wildcard"]
LEAVE_AFTER_S = 3.0
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Verifier:
    """
    Decides one subscription; its answer holds for ``cache_s`` seconds for the same user and topic.

    Only a verifier with ``patterns`` is asked about patterns. Others read ``topic.feed_id``, and would take a pattern
    for one topic.
    """

    handler: Handler
    cache_s: float = 0.0
    patterns: bool = False


@dataclass(frozen=True, slots=True)
class NamedVerifier:
    """A verifier that ``Stork.verifier`` declares elsewhere. ``cache_s`` None: the value there counts."""

    name: str
    cache_s: float | None
    location: SourceLocation


class Feed:
    """
    Topics ``version.name.*``, made by ``Stork.feed``.

    A feed without verifiers is open to every joined client. Otherwise all verifiers are asked in order; the first
    refusal decides.
    """

    def __init__(
        self,
        version: str,
        name: str,
        patterns: Sequence[Pattern] = (),
        presence: bool = False,
        leave_after_s: float = LEAVE_AFTER_S,
    ) -> None:
        self.version, self.name = version, name
        self.location = SourceLocation.of_caller()
        self.verifiers: list[Verifier | NamedVerifier] = []
        self.presence_verifiers: list[Verifier | NamedVerifier] = []
        self._check_name()
        if isinstance(patterns, str) or not all(pattern in get_args(Pattern) for pattern in patterns):
            raise DeclarationError(f'{self.location}: patterns is {patterns!r}, want some of ("prefix", "wildcard")')
        self.patterns = tuple(patterns)
        if not isinstance(presence, bool):
            raise DeclarationError(f"{self.location}: presence is {presence!r}, want True or False")
        is_number = isinstance(leave_after_s, int | float) and not isinstance(leave_after_s, bool)
        if not is_number or not 0 <= leave_after_s <= LONGEST_ABSENCE_S:
            raise DeclarationError(f"{self.location}: leave_after_s is {leave_after_s!r}, want seconds, at most 3,600")
        self.presence, self.leave_after_s = presence, float(leave_after_s)

    def _check_name(self) -> None:
        if not (isinstance(self.version, str) and isinstance(self.name, str)):
            raise DeclarationError(f'{self.location}: version and name of a feed are text, such as "v1" and "orders"')
        try:
            Topic.parse(f"{self.version}.{self.name}.x")
        except InvalidTopic as error:
            raise DeclarationError(f"{self.location}: {self} is not a feed: {error.reason}") from None
        if f"{self}.".startswith(RESERVED_TOPICS):
            raise DeclarationError(f"{self.location}: {self} is not for applications: the router's own topics begin so")

    def __str__(self) -> str:
        return f"{self.version}.{self.name}"

    def __repr__(self) -> str:
        return f"<Feed {self}>"

    @overload
    def verify(self, function: F, /, *, cache_s: float | None = ..., patterns: bool = ...) -> F: ...
    @overload
    def verify(self, /, *, cache_s: float | None = ..., patterns: bool = ...) -> Callable[[F], F]: ...
    @overload
    def verify(self, name: str, /, *names: str, cache_s: float | None = ...) -> "Feed": ...

    def verify(self, *given: Any, cache_s: float | None = None, patterns: bool = False) -> Any:
        """
        Add a verifier: ``@orders.verify``, ``@orders.verify(cache_s=60)``, or ``orders.verify("named", …)``.

        A verifier is called with (session, topic) and answers ``True``, ``False`` or ``Deny(reason)``.

        A feed with patterns needs verifiers with ``patterns=True``. These are asked about patterns as well: then
        ``topic.match`` is ``"prefix"`` or ``"wildcard"``, and ``topic.feed_id`` the beginning that the pattern covers,
        ``""`` for all. A prefix covers every id that begins with it: ``v1.orders.4`` covers ``v1.orders.42``.

        Args:
            given: a function; names, each declared by ``Stork.verifier`` before or after this; or nothing.
            cache_s: seconds that an answer holds for the same user and topic. None: it does not hold; for a named
                verifier, its own value counts.
            patterns: whether it accepts patterns. A named verifier has this in its own declaration.

        Returns:
            The function unchanged; for names, the feed.

        Raises:
            DeclarationError: ``given`` is something else.
        """
        return self._verify(self.verifiers, "verify", given, cache_s, patterns)

    @overload
    def verify_presence(self, function: F, /, *, cache_s: float | None = ...) -> F: ...
    @overload
    def verify_presence(self, /, *, cache_s: float | None = ...) -> Callable[[F], F]: ...
    @overload
    def verify_presence(self, name: str, /, *names: str, cache_s: float | None = ...) -> "Feed": ...

    def verify_presence(self, *given: Any, cache_s: float | None = None) -> Any:
        """
        Add a verifier for those who may see who is online, though they may not subscribe to the topic.

        It is used as ``verify``, and asked only after ``verify`` has refused. Without one, whoever may subscribe to a
        topic may see who is online there, and nobody else.
        """
        return self._verify(self.presence_verifiers, "verify_presence", given, cache_s, False)

    def _verify(
        self,
        verifiers: list[Verifier | NamedVerifier],
        method: str,
        given: Sequence[Any],
        cache_s: float | None,
        patterns: bool,
    ) -> Any:
        seconds = None if cache_s is None else check_cache_s(cache_s)
        check_patterns(patterns)
        if not given:
            return lambda function: self._verify(verifiers, method, (function,), cache_s, patterns)
        if all(isinstance(name, str) and name for name in given):
            location = SourceLocation.of_caller()
            if patterns:
                raise DeclarationError(f'{location}: patterns=True belongs to @stork.verifier("{given[0]}")')
            verifiers += [NamedVerifier(name, seconds, location) for name in given]
            return self
        if len(given) > 1:
            raise DeclarationError(f"{SourceLocation.of_caller()}: {method} takes one function, or names")
        handler = Handler.declare("verifier", given[0], "session", "topic")
        verifiers.append(Verifier(handler, seconds or 0.0, patterns))
        return cast(Any, given[0])


def check_cache_s(cache_s: Any) -> float:
    """
    Raises:
        DeclarationError: not a number of seconds, zero or more.
    """
    if isinstance(cache_s, bool) or not isinstance(cache_s, int | float) or not 0 <= cache_s < math.inf:
        raise DeclarationError(f"{SourceLocation.of_caller()}: cache_s is {cache_s!r}, want seconds, such as 60")
    return float(cache_s)


def check_patterns(patterns: Any) -> bool:
    """
    Raises:
        DeclarationError: neither True nor False.
    """
    if not isinstance(patterns, bool):
        raise DeclarationError(
            f"{SourceLocation.of_caller()}: patterns is {patterns!r}, want True or False for a verifier"
        )
    return patterns
