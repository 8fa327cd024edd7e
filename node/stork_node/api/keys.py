"""
The keys of the HTTP API: a backend sends one with each request.

Only digests are kept, so that no log and no traceback can show a key.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stork_node.errors import ConfigError, Problem

RIGHTS = ("push", "command", "read", "call")
MIN_KEY_CHARACTERS = 20
_NAMES = ("name", "key", "key_file", "rights", "topics")


@dataclass(frozen=True)
class TopicPattern:
    """Topics of a key: ``v1.orders.42`` itself, or with ``*`` as the last part all that begin with the others."""

    text: str

    @classmethod
    def parse(cls, value: object) -> "TopicPattern":
        """
        Raises:
            ValueError: it is no pattern; the text says so.
        """
        begin = value.removesuffix("*") if isinstance(value, str) else ""
        is_whole = value == "*" or (begin != "" and (begin == value or begin.endswith(".")))
        if not isinstance(value, str) or not is_whole or "*" in begin or " " in begin:
            raise ValueError(f"{value!r} is not a topic of a key (want v1.orders.42 or v1.orders.*)")
        return cls(value)

    def covers(self, topic: str) -> bool:
        return topic.startswith(self.text[:-1]) if self.text.endswith("*") else topic == self.text


@dataclass(frozen=True)
class ApiKey:
    """
    One key. ``topics`` empty: all topics.

    ``digest`` is the SHA-256 of the key.
    """

    name: str
    digest: bytes
    rights: frozenset[str]
    topics: tuple[TopicPattern, ...] = ()

    def allows(self, topics: Iterable[str]) -> bool:
        """Whether the key may be used for all of these topics."""
        return allows(self.topics, topics)


def allows(patterns: Collection[TopicPattern], topics: Iterable[str]) -> bool:
    """Whether each topic is covered by one of the patterns; all are if there are none."""
    return not patterns or all(any(each.covers(topic) for each in patterns) for topic in topics)


class Keyring:
    """The keys of one node."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, presented: bytes) -> ApiKey | None:
        """The key with these bytes. The time depends on nothing but the number of keys and the length given."""
        digest = hashlib.sha256(presented).digest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def keys(value: object) -> tuple[ApiKey, ...]:
    """
    A setting: ``[{"name", "key" or "key_file", "rights", "topics"}]``. A key whose ``key`` is empty is left out.

    Raises:
        ConfigError: every problem. No text shows a key.
    """
    if not isinstance(value, list):
        raise ValueError('is not a list of keys (want [{"name": "shop", "key": "${SHOP_KEY}", "rights": ["push"]}])')
    problems: list[Problem] = []
    found: list[ApiKey] = []
    for number, entry in enumerate(value):
        try:
            key = _key(entry)
        except ConfigError as error:
            problems += [Problem(f"[{number}]{'.' if p.path else ''}{p.path}", p.text) for p in error.problems]
            continue
        if key is not None and any(other.name == key.name for other in found):
            problems.append(Problem(f"[{number}].name", f"{key.name!r} is the name of another key"))
        elif key is not None and any(other.digest == key.digest for other in found):
            problems.append(Problem(f"[{number}].key", "is the same as another key"))
        elif key is not None:
            found.append(key)
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _key(entry: object) -> ApiKey | None:
    if not isinstance(entry, Mapping):
        raise ConfigError([Problem("", 'is not a key (want {"name", "key", "rights"})')])
    problems = [
        Problem(str(name), f"unknown setting, known are {', '.join(_NAMES)}") for name in entry if name not in _NAMES
    ]
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        problems.append(Problem("name", "is missing (want the name of the program that has the key)"))
    rights = entry.get("rights")
    if not isinstance(rights, list) or not rights or not all(right in RIGHTS for right in rights):
        problems.append(Problem("rights", f"is not a list of rights (want some of {', '.join(RIGHTS)})"))
    topics = _read_topics(entry.get("topics", []), problems)
    secret = _read_secret(entry, problems)
    if problems:
        raise ConfigError(problems)
    if not secret:
        return None
    return ApiKey(str(name), hashlib.sha256(secret.encode()).digest(), frozenset(rights or ()), topics)


def _read_topics(value: object, problems: list[Problem]) -> tuple[TopicPattern, ...]:
    if not isinstance(value, list):
        problems.append(Problem("topics", 'is not a list of topics (want ["v1.orders.*"])'))
        return ()
    found = []
    for number, each in enumerate(value):
        try:
            found.append(TopicPattern.parse(each))
        except ValueError as error:
            problems.append(Problem(f"topics[{number}]", str(error)))
    return tuple(found)


def _read_secret(entry: Mapping[str, Any], problems: list[Problem]) -> str:
    """The key's text; empty if its variable is not set."""
    if ("key" in entry) == ("key_file" in entry):
        problems.append(Problem("key", "is missing, or key_file is there too (want one of the two)"))
        return ""
    field = "key" if "key" in entry else "key_file"
    value = entry[field]
    if not isinstance(value, str):
        problems.append(Problem(field, 'is not a text (want "${SHOP_KEY}")'))
        return ""
    if field == "key" and not value:
        return ""
    secret = value if field == "key" else _read_file(value, problems)
    if secret is None:
        return ""
    if len(secret) < MIN_KEY_CHARACTERS:
        problems.append(Problem(field, f"a key has at least {MIN_KEY_CHARACTERS} characters (openssl rand -hex 32)"))
    elif not (secret.isascii() and secret.isprintable() and " " not in secret):
        problems.append(Problem(field, "a key has ASCII characters only, and no space"))
    return secret


def _read_file(name: str, problems: list[Problem]) -> str | None:
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        problems.append(Problem("key_file", f"{name!r} cannot be read: {reason}"))
        return None
