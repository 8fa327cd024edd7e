"""The setting ``apps``: a list of apps, read with all of its problems at once."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stork_node.errors import ConfigError, Problem
from stork_node.http.origins import AllowedOrigin, origins
from stork_node.protocol.topics import is_part
from stork_node.pusher.apps import DEFAULT_CACHE_S, DEFAULT_LEAVE_AFTER_S, DEFAULT_VERSION, App
from stork_node.pusher.webhooks.settings import AppWebhook, app_webhooks

_MEMBERS = "members"
_APP = "app"
_NAMES = (
    "id",
    "keys",
    "version",
    "client_events",
    "allowed_origins",
    "enabled",
    "shared",
    "verify",
    "subscription_count",
    "cache_s",
    "leave_after_s",
    "webhooks",
)
_WANT = '[{"id": "1", "keys": [{"key": "${PUSHER_APP_KEY}", "secret": "${PUSHER_APP_SECRET}"}]}]'
_DAY_S = 86_400
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def apps(value: object) -> tuple[App, ...]:
    """
    A setting: a list of apps. An app whose id, keys and secrets are all empty is left out.

    Raises:
        ConfigError: every problem. No text shows a secret.
    """
    if not isinstance(value, list):
        raise ValueError(f"is not a list of apps (want {_WANT})")
    problems: list[Problem] = []
    found: list[App] = []
    for number, entry in enumerate(value):
        at = f"[{number}]"
        try:
            app = _app(entry)
        except ConfigError as error:
            problems += [Problem(f"{at}.{each.path}" if each.path else at, each.text) for each in error.problems]
            continue
        if app is not None:
            problems += [Problem(f"{at}.{name}", text) for name, text in _shared(app, found)]
            found.append(app)
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _shared(app: App, others: list[App]) -> Iterable[tuple[str, str]]:
    for other in others:
        if other.id == app.id:
            yield "id", f"{app.id!r} is the id of another app"
        if other.version == app.version:
            yield "version", f"{app.version!r} is the version of another app, whose topics it would share"
        if other.secrets.keys() & app.secrets.keys():
            yield "keys", "a key belongs to another app"


def _app(entry: object) -> App | None:
    if not isinstance(entry, Mapping):
        raise ConfigError([Problem("", f"is not an app (want {_WANT})")])
    problems = [
        Problem(str(name), f"unknown setting, known are {', '.join(_NAMES)}") for name in entry if name not in _NAMES
    ]
    id = _text(entry, "id", problems)
    keys = _keys(entry.get("keys"), problems)
    if not problems and not id and not any(key or secret for key, secret in keys):
        return None
    if not _ID.fullmatch(id):
        problems.append(Problem("id", f"{id!r} is not an id (want letters, digits, _ and -)"))
    for number, (key, secret) in enumerate(keys):
        if not _ID.fullmatch(key):
            problems.append(Problem(f"keys[{number}].key", f"{key!r} is not a key (want letters, digits, _ and -)"))
        if not secret:
            problems.append(
                Problem(f"keys[{number}].secret", "is empty, and everybody could sign (openssl rand -hex 20)")
            )
    if len({key for key, _ in keys}) < len(keys):
        problems.append(Problem("keys", "a key is there twice"))
    version = _text(entry, "version", problems, DEFAULT_VERSION)
    if not is_part(version):
        problems.append(Problem("version", f"{version!r} cannot begin a topic (want {DEFAULT_VERSION})"))
    client_events = _client_events(entry.get("client_events", False), problems)
    allowed = _origins(entry.get("allowed_origins", ["*"]), problems)
    is_shared = _is_on(entry, "shared", False, problems)
    asks_app = _asks_app(entry.get("verify", ""), problems)
    counts_subscriptions = _is_on(entry, "subscription_count", False, problems)
    is_enabled = _is_on(entry, "enabled", True, problems)
    told = _webhooks(entry.get("webhooks", []), problems)
    cache_s = _seconds(entry, "cache_s", DEFAULT_CACHE_S, problems)
    leave_after_s = _seconds(entry, "leave_after_s", DEFAULT_LEAVE_AFTER_S, problems)
    if problems:
        raise ConfigError(problems)
    return App(
        id,
        dict(keys),
        version,
        client_events,
        allowed,
        is_enabled,
        cache_s,
        leave_after_s,
        is_shared,
        asks_app,
        counts_subscriptions,
        told,
    )


def _text(entry: Mapping[str, Any], name: str, problems: list[Problem], default: str = "") -> str:
    """A text, or the first of several that is not empty."""
    value = entry.get(name, default)
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        problems.append(Problem(name, "is not a text"))
        return ""
    return next(filter(None, texts), "")


def _seconds(entry: Mapping[str, Any], name: str, default: float, problems: list[Problem]) -> float:
    value = entry.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _DAY_S:
        problems.append(Problem(name, f"{value!r} is not a time in seconds, less than a day (want {default:.0f})"))
        return default
    return value


def _is_on(entry: Mapping[str, Any], name: str, default: bool, problems: list[Problem]) -> bool:
    value = entry.get(name, default)
    if not isinstance(value, bool):
        problems.append(Problem(name, f"{value!r} is neither true nor false"))
    return value is True


def _asks_app(value: object, problems: list[Problem]) -> bool:
    if value not in (_APP, False, ""):
        problems.append(Problem("verify", f'{value!r} is not known (want "{_APP}", or leave it out)'))
    return value == _APP


def _webhooks(value: object, problems: list[Problem]) -> tuple[AppWebhook, ...]:
    try:
        return app_webhooks(value)
    except ConfigError as error:
        problems += [Problem(f"webhooks{problem.path}", problem.text) for problem in error.problems]
    except ValueError as error:
        problems.append(Problem("webhooks", str(error)))
    return ()


def _keys(value: object, problems: list[Problem]) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
        problems.append(Problem("keys", 'is not a list of keys (want [{"key": "…", "secret": "…"}])'))
        return []
    keys = []
    for number, each in enumerate(value):
        problems += [
            Problem(f"keys[{number}].{name}", "unknown setting, known are key, secret")
            for name in each
            if name not in ("key", "secret")
        ]
        own: list[Problem] = []
        keys.append((_text(each, "key", own), _text(each, "secret", own)))
        problems += [Problem(f"keys[{number}].{problem.path}", problem.text) for problem in own]
    return keys


def _client_events(value: object, problems: list[Problem]) -> bool:
    if value not in (_MEMBERS, False, "", "false"):
        problems.append(Problem("client_events", f'{value!r} is not known (want "{_MEMBERS}" or false)'))
    return value == _MEMBERS


def _origins(value: object, problems: list[Problem]) -> tuple[AllowedOrigin, ...]:
    try:
        return origins(value) or (AllowedOrigin("*"),)
    except ValueError as error:
        problems.append(Problem("allowed_origins", str(error)))
        return ()
