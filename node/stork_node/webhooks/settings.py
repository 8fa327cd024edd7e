"""``webhooks`` of the publish server's worker in config.json, or of a file of its own."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stork_node import clock
from stork_node.config.feed_histories import PUSHER
from stork_node.config.settings import names, optional_url, read, section, setting, several, text, time_out
from stork_node.errors import ConfigError, Problem
from stork_node.protocol.topics import is_part
from stork_node.pusher.webhooks.form import AppForm, app_forms
from stork_node.webhooks.event_names import some_of
from stork_node.webhooks.forms import Form
from stork_node.webhooks.pushes import push_filter
from stork_node.webhooks.reading import EventReader
from stork_node.webhooks.signatures import sign

EVENTS = ("online", "offline", "occupied", "vacated", "node_gone", "resync")
MOST_WEBHOOKS = 8
"""Each has a table of who is online."""
_NO_APP = {"id": "", "keys": [{"key": "", "secret": ""}]}
_SHORTEST_SECRET = 20


def _feeds(value: Any) -> tuple[str, ...]:
    listed = names(value)
    for each in listed:
        version, dot, feed = each.partition(".")
        if not (dot and is_part(version) and is_part(feed)):
            raise ValueError(f"{each!r} is not a feed (want v1.orders)")
    return listed


@dataclass(frozen=True)
class WebhookSettings:
    """
    Attributes:
        url: where to POST; empty: this webhook is off.
        secret: signs each request.
        events: which events are sent; ``resync`` is sent in any case.
        pushes: feeds, as in ``v1.orders``, whose pushes are sent.
        name: the stored position belongs to it; by default the URL.
        timeout_s: the whole time for one request, in seconds.
    """

    url: str = setting(optional_url, "")
    secret: str = setting(text, "")
    events: tuple[str, ...] = setting(some_of(EVENTS), EVENTS)
    pushes: tuple[str, ...] = setting(_feeds, ())
    name: str = setting(text, "")
    timeout_s: float = setting(time_out, 10.0)

    def __repr__(self) -> str:
        return f"WebhookSettings({self.known_as!r})"  # it has a secret

    @property
    def known_as(self) -> str:
        return self.name or self.url

    def reader(self) -> EventReader:
        return EventReader(self.events, self.pushes)

    def push_filter(self) -> Callable[[bytes], bool]:
        return push_filter(self.pushes)

    def body(self, events: Sequence[bytes]) -> bytes:
        return b'{"events":[%b]}' % b",".join(events)

    def headers(self, body: bytes) -> dict[str, str]:
        return {"Stork-Signature": sign(self.secret, body, int(clock.wall()))}


_parse = section(WebhookSettings)


def _webhook(value: Any) -> WebhookSettings:
    settings = _parse(value)
    if "url" not in value:
        raise ConfigError([Problem("url", "is missing (want https://www.example.com/path)")])
    if settings.url and len(settings.secret) < _SHORTEST_SECRET:
        raise ConfigError([Problem("secret", f"is too short (want {_SHORTEST_SECRET} characters, or more)")])
    return settings


def _webhooks(value: Any) -> tuple[WebhookSettings, ...]:
    used = tuple(each for each in several(_webhook)(value) if each.url)
    if len(used) > MOST_WEBHOOKS:
        raise ValueError(f"has {len(used)} entries (want at most {MOST_WEBHOOKS})")
    for each in used:
        if sum(each.known_as == other.known_as for other in used) > 1:
            raise ValueError(f"{each.known_as!r} is there twice (want another name)")
    return used


@dataclass(frozen=True)
class _Section:
    webhooks: tuple[WebhookSettings, ...] = setting(_webhooks, ())


@dataclass(frozen=True)
class _AppsSection:
    apps: tuple[AppForm, ...] = setting(app_forms, ())


def read_webhooks(file: str, environ: Mapping[str, str]) -> tuple[Form, ...]:
    """
    Read the webhooks of a file, and those of its apps of Pusher's protocol. Any value may have ``${NAME}``.

    Args:
        file: config.json, or a file ``{"webhooks": […], "apps": […]}``; empty for none.

    Raises:
        ConfigError: all problems, each with its path.
    """
    if not file:
        return ()
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Problem(file, f"cannot be read: {error.strerror}")]) from None
    except (ValueError, RecursionError):
        raise ConfigError([Problem(file, "is not JSON")]) from None
    path, values = _find(content)
    at, apps = _find_apps(content)
    try:
        own = read(_Section, {"webhooks": values}, environ, path).webhooks
        return (*own, *read(_AppsSection, {"apps": apps}, environ, at).apps)
    except ConfigError as error:
        raise ConfigError([Problem(f"{file}: {each.path}", each.text) for each in error.problems]) from None


def _find(content: Any) -> tuple[str, Any]:
    workers = content.get("workers") if isinstance(content, dict) else None
    for number, worker in enumerate(workers if isinstance(workers, list) else ()):
        if isinstance(worker, dict) and worker.get("type") == "guest" and "webhooks" in worker:
            return f"workers[{number}]", worker["webhooks"]
    return "", content.get("webhooks", []) if isinstance(content, dict) else content


def _find_apps(content: Any) -> tuple[str, Any]:
    workers = content.get("workers") if isinstance(content, dict) else None
    for w, worker in enumerate(workers if isinstance(workers, list) else ()):
        components = worker.get("components") if isinstance(worker, dict) else None
        for c, component in enumerate(components if isinstance(components, list) else ()):
            if isinstance(component, dict) and component.get("classname") == PUSHER:
                extra = component.get("extra")
                return f"workers[{w}].components[{c}].extra", _with_webhooks(extra)
    return "", _with_webhooks(content)


def _with_webhooks(extra: Any) -> Any:
    """The apps; those without webhooks are empty, as their variables may not be set at a publish server."""
    apps = extra.get("apps", []) if isinstance(extra, dict) else []
    if not isinstance(apps, list):
        return apps
    return [each if isinstance(each, dict) and each.get("webhooks") else _NO_APP for each in apps]
