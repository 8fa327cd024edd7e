"""Decides on subscriptions and calls: chooses the verifiers to ask, and combines their answers. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stork_node.application.declarations import Declarations
from stork_node.application.feeds import NamedVerifier, Verifier
from stork_node.application.permission import Permission
from stork_node.application.values import Deny
from stork_node.errors import InvalidTopic, StorkError
from stork_node.protocol.topics import Topic


class Undecided(StorkError):
    """The application leaves this decision to a backend: that is no refusal, and the client may try again."""


@dataclass(frozen=True, slots=True)
class Checks:
    """The verifiers to ask, in this order. ``topic`` is their argument for a subscription; None for a call."""

    verifiers: tuple[Verifier, ...]
    topic: Topic | None = None


def choose_checks(declared: Declarations, uri: str, action: str, options: Mapping[str, Any]) -> Checks | Deny:
    """
    Choose the verifiers for a subscription or call, or refuse it without asking any.

    Args:
        declared: the application's feeds, verifiers and procedures.
        uri: the topic or pattern of a subscription, or the procedure of a call.
        action: WAMP's word, such as ``subscribe``, or ``presence``: to see who is online in a topic without the right
            to subscribe. Others than these and ``call`` are refused.
        options: of the SUBSCRIBE; only ``match`` counts.

    Raises:
        Undecided: the application does not decide about subscriptions.
    """
    if action == "subscribe":
        return _choose_for_topic(declared, uri, options.get("match") or "exact")
    if action == "presence":
        return _choose_for_presence(declared, uri)
    if action == "call":
        return _choose_for_procedure(declared, uri)
    return Deny(f"no application allows a client to {action}")


def _choose_for_topic(declared: Declarations, uri: str, match: Any) -> Checks | Deny:
    if match not in ("exact", "prefix", "wildcard"):
        return Deny(f"match {match!r} is none of exact, prefix, wildcard")
    try:
        topic = Topic.parse_pattern(uri, match)
    except InvalidTopic as error:
        return Deny(str(error))
    if not declared.decides_subscriptions:
        raise Undecided("the application declares no feed")
    feed = declared.feeds.get((topic.version, topic.feed))
    if feed is None:
        return Deny(f"feed {topic.version}.{topic.feed} is not declared")
    if match != "exact" and match not in feed.patterns:
        return Deny(f"feed {feed} has no patterns of match {match}")
    try:
        verifiers = tuple(_verifiers(declared, feed.verifiers))
    except LookupError as error:
        return Deny(f"feed {feed} asks the verifier {error.args[0]!r}, which is not declared")
    if match != "exact" and not all(verifier.patterns for verifier in verifiers):
        return Deny(f"feed {feed} has a verifier that does not know patterns (patterns=True)")
    return Checks(verifiers, topic)


def _choose_for_presence(declared: Declarations, uri: str) -> Checks | Deny:
    try:
        topic = Topic.parse(uri)
        feed = declared.feeds.get((topic.version, topic.feed))
        if feed is None or not feed.presence_verifiers:
            return Deny(f"feed {topic.version}.{topic.feed} has no verifier of presence")
        return Checks(tuple(_verifiers(declared, feed.presence_verifiers)), topic)
    except InvalidTopic as error:
        return Deny(str(error))
    except LookupError as error:
        return Deny(f"feed {feed} asks the verifier {error.args[0]!r}, which is not declared")


def _verifiers(declared: Declarations, listed: Sequence[Verifier | NamedVerifier]) -> Iterator[Verifier]:
    for verifier in listed:
        if isinstance(verifier, Verifier):
            yield verifier
        else:
            named = declared.verifiers[verifier.name]
            yield named if verifier.cache_s is None else Verifier(named.handler, verifier.cache_s, named.patterns)


def _choose_for_procedure(declared: Declarations, uri: str) -> Checks | Deny:
    procedure = declared.procedures.get(uri)
    if procedure is None:
        return Deny(f"procedure {uri} is not declared")
    if isinstance(procedure.allow, Verifier):
        return Checks((procedure.allow,))
    return Checks(()) if procedure.allow else Deny(f"procedure {uri} is not for clients (allow is False)")


Answer = bool | Deny | Permission
"""What a verifier says. A ``Permission``, which only those of config.json give, has a ``cache_s`` of its own."""


def read_answer(answer: Any) -> Answer:
    """
    Check a verifier's answer.

    Raises:
        TypeError: not True, False or a Deny. A value that is only true in a boolean sense (a row, a coroutine,
            "no") lets no client in.
    """
    if answer is True or answer is False or isinstance(answer, Deny | Permission):
        return answer
    raise TypeError(f"answered with a value of type {type(answer).__name__}, want True, False or Deny(…)")


def is_yes(answer: Answer) -> bool:
    """Whether a verifier agrees."""
    return answer.allow if isinstance(answer, Permission) else bool(answer)


def fold(verifiers: Sequence[Verifier], answers: Sequence[Answer]) -> Permission:
    """
    Combine the answers: the first refusal, or yes if every verifier has agreed.

    The result holds for the shortest time of the asked verifiers. Without verifiers it is not remembered.

    Args:
        verifiers: all verifiers that have to agree.
        answers: their answers in the same order, at least up to the first refusal.
    """
    given = list(zip(verifiers, answers, strict=False))
    cache_s = min((a.cache_s if isinstance(a, Permission) else verifier.cache_s for verifier, a in given), default=0.0)
    for verifier, answer in given:
        if not is_yes(answer):
            reason = "" if isinstance(answer, bool) else answer.reason
            return Permission(False, cache_s, reason or f"{verifier.handler.kind} {verifier.handler.name} said no")
    if len(answers) < len(verifiers):
        raise ValueError(f"{len(answers)} answers of {len(verifiers)} verifiers, none of which refuses")
    return Permission(True, cache_s)
