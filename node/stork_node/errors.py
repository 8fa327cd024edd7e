"""
Everything that can go wrong, named.

    StorkError
    ├── ConfigError            config.json, a flag or an environment variable: all problems at once
    ├── DeclarationError       app.py declares something twice or wrongly
    ├── InvalidTopic           not version.feed.id
    ├── InvalidPosition        not epoch:sequence
    ├── InvalidAnswer          an application's answer to the guard that is none
    ├── NoDecision             a server that config.json names has decided nothing
    ├── InvalidPush            a push document that is refused
    ├── InvalidFrame           bytes on the bus that are not a frame of ours
    │   └── UnknownProtocol    … of a release too far from this one
    ├── UnwritableEvent        a push that some serializer cannot hold
    ├── PushFailed             a push that its pusher cannot count on
    │   ├── PushRefused        the publish server said no
    │   └── NotConfirmed       no answer in time: stored or not, nobody knows
    ├── CallError              a WAMP error, as a procedure raises it and as a caller gets it
    ├── ConnectionRefused      a router that cannot be reached, or will not let one in
    ├── SubscriberEnded        a subscriber that will not come back
    └── SubscriptionRefused    a topic that a subscriber will not get
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class StorkError(Exception):
    """Base of all errors of this library."""


@dataclass(frozen=True)
class Problem:
    """One problem of a configuration: its place, and one sentence with an example."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class ConfigError(StorkError):
    """A configuration that cannot be used; ``problems`` has all of its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class DeclarationError(StorkError):
    """An application that declares something twice, or in a way that cannot work."""


class InvalidTopic(StorkError):
    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"{topic!r} is not a topic: {reason}")
        self.topic, self.reason = topic, reason


class InvalidPosition(StorkError):
    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a position (want EPOCH:SEQUENCE)")
        self.text = text


class InvalidAnswer(StorkError):
    """An invalid answer of the application or a backend; the client may try again."""


class NoDecision(StorkError):
    """A server that config.json names has decided nothing; the text says what came in place of an answer."""


class InvalidPush(StorkError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"invalid push: {reason}")
        self.reason = reason


class InvalidFrame(StorkError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"not a frame of the bus: {reason}")
        self.reason = reason


class UnknownProtocol(InvalidFrame):
    def __init__(self, number: str) -> None:
        super().__init__(f"protocol number {number} is not one that this release speaks")
        self.number = number


class UnwritableEvent(StorkError):
    """A push that cannot be written with some serializer."""


class PushFailed(StorkError):
    """A push that is not known to be stored."""


class PushRefused(PushFailed):
    """
    The publish server refused the push.

    Attributes:
        error: ``invalid_push``, ``id_reused`` (another push had this id), or ``storage_failed``.
        reason: one sentence.
    """

    def __init__(self, error: str, reason: str) -> None:
        super().__init__(f"push refused ({error}): {reason}")
        self.error, self.reason = error, reason


class NotConfirmed(PushFailed):
    """No answer within ``timeout_ms``: the push may or may not be stored. Push again with the same id."""

    def __init__(self, endpoint: str, timeout_ms: int, cause: str) -> None:
        super().__init__(f"push not confirmed by {endpoint} within {timeout_ms} ms: {cause}")
        self.endpoint, self.timeout_ms, self.cause = endpoint, timeout_ms, cause


class CallError(StorkError):
    """
    A WAMP error. If a procedure raises it, its caller gets it unchanged, as an exception.

    Args:
        uri: the error's URI, such as ``io.example.error.not_found``.
        message: one sentence for the caller; it becomes the first positional argument.
        args: further positional arguments.
        kwargs: keyword arguments.
    """

    def __init__(self, uri: str, message: str = "", /, *args: Any, **kwargs: Any) -> None:
        super().__init__(f"{uri}: {message}" if message else uri)
        self.uri, self.message, self.arguments, self.details = uri, message, args, kwargs


class ConnectionRefused(StorkError):
    """A router that cannot be reached, or that refuses the session; ``reason`` is its WAMP URI, if it gave one."""

    def __init__(self, url: str, cause: str, reason: str = "") -> None:
        super().__init__(f"no session with {url}: {cause}")
        self.url, self.cause, self.reason = url, cause, reason


class SubscriberEnded(StorkError):
    """
    A subscriber that will not come back; ``reason`` is ``denied``, ``expired``, ``disconnected`` or ``refused``.

    ``uri`` is the URI of the node's ABORT or GOODBYE, ``text`` its text.
    """

    def __init__(self, url: str, reason: str, uri: str = "", text: str = "") -> None:
        said = ": ".join(filter(None, [uri, text]))
        super().__init__(f"{url} ended it for good: {reason}" + (f" ({said})" if said else ""))
        self.url, self.reason, self.uri, self.text = url, reason, uri, text


class SubscriptionRefused(StorkError):
    """
    A topic that a subscriber does not get; ``reason`` is ``denied``, ``revoked``, ``refused``, or the reason of the
    end.
    """

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"no subscription to {topic}: {reason}")
        self.topic, self.reason = topic, reason
