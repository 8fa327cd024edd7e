"""``http`` and ``feeds`` in the ``extra`` of the application."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from stork_node.application.feeds import LEAVE_AFTER_S, Pattern
from stork_node.config.settings import name, names, optional_url, parse_each, read, seconds, setting, text, time_out
from stork_node.errors import ConfigError, Problem
from stork_node.protocol.presence.limits import LONGEST_ABSENCE_S
from stork_node.protocol.topics import is_part
from stork_node.protocol.uris import RESERVED_TOPICS
from stork_node.relay.history_settings import histories

OWN, ALL, CLAIM, HTTP = "own", "all", "claim", "http"
BUILT_IN = (OWN, ALL, CLAIM, HTTP)
"""The verifiers that config.json has; other names are verifiers of app.py."""

# They belong to the request itself, or to one connection.
_NOT_FORWARDED = frozenset(
    {"authorization", "connection", "content-length", "content-type", "expect", "host", "transfer-encoding", "upgrade"}
)


def _header_names(value: Any) -> tuple[str, ...]:
    if value in ("", []):
        return ()
    listed = tuple(each.lower() for each in names(value))
    for each in listed:
        if each in _NOT_FORWARDED or not each.replace("-", "").isalnum() or not each.isascii():
            raise ValueError(f"{each!r} is not a header that can be forwarded (want Cookie, X-Forwarded-For, …)")
    return listed


@dataclass(frozen=True)
class HttpSettings:
    """
    ``connect`` decides about tickets, ``subscribe`` about feeds with ``"verify": "http"``; either may be empty.

    ``secret`` is sent as ``Authorization: Bearer …``. ``forward_headers`` names headers of the client's handshake that
    are sent again, as headers.
    """

    connect: str = setting(optional_url, "")
    subscribe: str = setting(optional_url, "")
    secret: str = setting(text, "")
    timeout_s: float = setting(time_out, 5.0)
    forward_headers: tuple[str, ...] = setting(_header_names, ())

    def __repr__(self) -> str:
        return "<HttpSettings>"  # it has a secret

    @property
    def decides(self) -> bool:
        """Whether there is an address to ask."""
        return bool(self.connect or self.subscribe)


def http_section(value: Any) -> HttpSettings:
    """Parse ``http``: an object with at least one address, unless all of it is empty."""
    if not isinstance(value, Mapping):
        raise ValueError(f'{value!r} is not a group of settings (want {{"connect": "https://…", "secret": "…"}})')
    settings = read(HttpSettings, value, {})
    if settings != HttpSettings() and not {"connect", "subscribe"} & set(value):
        raise ValueError("names no address (want connect, subscribe, or both)")
    if not settings.secret.isascii() or any(c.isspace() for c in settings.secret):
        raise ConfigError([Problem("secret", "has characters that a header cannot carry (want ASCII without spaces)")])
    return settings


def _patterns(value: Any) -> tuple[Pattern, ...]:
    listed = () if value == [] else names(value)
    if not set(listed) <= {"prefix", "wildcard"}:
        raise ValueError(f'{value!r} is not a list of patterns (want some of ["prefix", "wildcard"])')
    return cast(tuple[Pattern, ...], listed)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _absence(value: Any) -> float:
    found = seconds(value)
    if found > LONGEST_ABSENCE_S:
        raise ValueError(f"{value!r} is too long (want at most 3600)")
    return found


def _history(value: Any) -> str:
    try:
        histories({"*": value})
    except ValueError as error:
        raise ValueError(str(error).removeprefix("*: ")) from None
    return repr(value)


@dataclass(frozen=True)
class FeedSettings:
    """
    ``verify``: ``own`` (the id is the authid), ``all``, ``claim`` (the ticket's topics), ``http``, or a verifier of
    app.py. ``cache_s`` is for answers of ``http`` without their own. ``presence``: whether clients see who is online;
    ``leave_after_s``: how long a user may be away. ``history`` is as in the relay's settings.
    """

    verify: str = setting(name, "")
    patterns: tuple[Pattern, ...] = setting(_patterns, ())
    presence: bool = setting(_flag, False)
    leave_after_s: float = setting(_absence, LEAVE_AFTER_S)
    history: str = setting(_history, "")
    cache_s: float = setting(seconds, 0.0)


Feeds = tuple[tuple[str, FeedSettings], ...]


def feeds_section(value: Any) -> Feeds:
    """
    Parse ``feeds``: ``{"v1.orders": {"verify": "own"}}``.

    Raises:
        ConfigError: names that are no feeds, and settings that are wrong; each with its path.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f'{value!r} is not a group of feeds (want {{"v1.orders": {{"verify": "own"}}}})')
    settings = parse_each((f'["{feed}"]', partial(_feed, feed, own)) for feed, own in value.items())
    return tuple(zip(value, settings, strict=True))


def _feed(feed: str, value: Any) -> FeedSettings:
    version, dot, own_name = feed.partition(".")
    if not (dot and is_part(version) and is_part(own_name)) or f"{feed}.".startswith(RESERVED_TOPICS):
        raise ValueError("is not a feed (want v1.orders)")
    if not isinstance(value, Mapping):
        raise ValueError(f'{value!r} is not a group of settings (want {{"verify": "own"}})')
    settings = read(FeedSettings, value, {})
    if not settings.verify:
        raise ConfigError([Problem("verify", f"is missing (want {', '.join(BUILT_IN)}, or a verifier of app.py)")])
    if settings.verify == OWN and settings.patterns:
        raise ConfigError([Problem("patterns", "do not fit verify own: a pattern covers more than one id")])
    return settings
