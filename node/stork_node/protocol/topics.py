"""Topics, ``version.feed.id``, and the patterns that cover several of one feed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from stork_node.errors import InvalidTopic

MAX_TOPIC_LENGTH = 255

Match = Literal["exact", "prefix", "wildcard"]

_PART = re.compile(r"[A-Za-z0-9_\-:@~]+")
_NO_ID_CHARACTER = re.compile(r"[^A-Za-z0-9_\-:@]")  # nor ~, which begins what is written in another way
_TOPIC = re.compile(rf"({_PART.pattern})\.({_PART.pattern})\.({_PART.pattern})")


def _check_length(uri: str) -> None:
    if len(uri) > MAX_TOPIC_LENGTH:
        raise InvalidTopic(uri, f"{len(uri)} characters, at most {MAX_TOPIC_LENGTH} are allowed")


def is_part(text: str) -> bool:
    """Whether ``text`` can be one of a topic's three parts."""
    return _PART.fullmatch(text) is not None


def feed_id(text: str) -> str:
    """
    Any text as the id of a feed, the same in JavaScript (``feedId``) and PHP (``feedId``).

    A character that a topic cannot hold becomes ``~`` and two hexadecimal digits for each byte of its UTF-8:
    ``ann.lee@example.com`` becomes ``ann~2Elee@example~2Ecom``. No two texts have the same id.

    Raises:
        InvalidTopic: the text is empty, or has half of a character (a lone surrogate).
    """
    if not text:
        raise InvalidTopic(text, "the id of a feed has at least one character")
    try:
        return _NO_ID_CHARACTER.sub(lambda found: "".join(f"~{byte:02X}" for byte in found[0].encode()), text)
    except UnicodeEncodeError:
        raise InvalidTopic(repr(text), "half of a character (a lone surrogate) is no text") from None


@dataclass(frozen=True, slots=True)
class Topic:
    """
    A topic, or a pattern within one feed.

    ``feed_id`` is the client's own text: never empty for ``match == "exact"``. A prefix pattern has the beginning of
    the feed ids that it covers (``""`` for all), the wildcard pattern ``""``.
    """

    version: str
    feed: str
    feed_id: str
    match: Match = "exact"

    @property
    def uri(self) -> str:
        return f"{self.version}.{self.feed}.{self.feed_id}"

    def __str__(self) -> str:
        return self.uri

    @classmethod
    def parse(cls, uri: str) -> Self:
        """
        Parse a topic.

        Raises:
            InvalidTopic: not three non-empty parts of ASCII letters, digits and ``_ - : @ ~``, or over 255 characters.
        """
        found = _TOPIC.fullmatch(uri)
        if found and len(uri) <= MAX_TOPIC_LENGTH:
            return cls(found[1], found[2], found[3])
        _check_length(uri)
        parts = uri.split(".")
        if len(parts) != 3:
            raise InvalidTopic(uri, f"{len(parts)} parts where version.feed.id has 3")
        wrong = next(part for part in parts if not is_part(part))
        raise InvalidTopic(uri, f"{wrong!r} is not made of letters, digits and _ - : @ ~" if wrong else "an empty part")

    @classmethod
    def parse_pattern(cls, uri: str, match: Match) -> Self:
        """
        Parse the topic of a SUBSCRIBE, or a pattern within one feed.

        Raises:
            InvalidTopic: not a topic, a pattern beyond one ``version.feed``, or an unknown ``match``.
        """
        if match == "exact":
            return cls.parse(uri)
        if match not in ("prefix", "wildcard"):
            raise InvalidTopic(uri, f"{match!r} is no way to match (want exact, prefix or wildcard)")
        _check_length(uri)
        version, _, rest = uri.partition(".")
        feed, dot, feed_id = rest.partition(".")
        if not (is_part(version) and is_part(feed) and dot):
            raise InvalidTopic(uri, f"a {match} pattern must name version.feed. in full")
        if feed_id and (match == "wildcard" or not is_part(feed_id)):
            raise InvalidTopic(uri, f"{feed_id!r} cannot follow version.feed. in a {match} pattern")
        return cls(version, feed, feed_id, match)


def pattern_matcher(uri: str, match: str) -> Callable[[str], bool]:
    """Whether a topic belongs to a pattern, as WAMP has it: an empty part of a wildcard stands for any."""
    if match == "prefix":
        return lambda topic: topic.startswith(uri)
    wanted = [(number, part) for number, part in enumerate(uri.split(".")) if part]
    length = uri.count(".") + 1

    def matches(topic: str) -> bool:
        parts = topic.split(".")
        return len(parts) == length and all(parts[number] == part for number, part in wanted)

    return matches
