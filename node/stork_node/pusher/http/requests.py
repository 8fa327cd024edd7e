"""
Requests of the HTTP API: who sent them, and what they are about. All is decided by the head, before a body is read.

A backend signs the method, the path, and the parameters of the query, among them the MD5 of the body.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from stork_node.pusher.apps import App, Apps
from stork_node.pusher.errors import HttpRefusal
from stork_node.pusher.signatures import is_signed, request_text

PREFIX = "/apps/"
MAX_AGE_S = 600
MAX_BODY_BYTES = 16 << 20

_SIGNATURE = "auth_signature"
_VERSION = "1.0"
_MAX_DIGITS = 18

# By the parts of the path after the app's id; {} is any text.
_ROUTES = {
    ("events",): ("events", "POST"),
    ("batch_events",): ("batch_events", "POST"),
    ("channels",): ("channels", "GET"),
    ("channels", "{}"): ("channel", "GET"),
    ("channels", "{}", "users"): ("users", "GET"),
    ("users", "{}", "terminate_connections"): ("terminate_connections", "POST"),
    ("connections",): ("connections", "GET"),
}


@dataclass(frozen=True)
class PusherRequest:
    """
    A request that an app has signed.

    Attributes:
        route: a name in ``_ROUTES``.
        subject: the channel or user in its path; empty if it has none.
        key: of the app, by which it is signed.
        parameters: with lower-case names.
    """

    app: App
    route: str
    subject: str
    key: str
    parameters: Mapping[str, str]

    @property
    def info(self) -> tuple[str, ...]:
        """What is to be told of channels."""
        return tuple(filter(None, self.parameters.get("info", "").split(",")))

    def check_body(self, body: bytes) -> None:
        """
        Raises:
            HttpRefusal: the body is not the signed one.
        """
        given = self.parameters.get("body_md5")
        if given is None and not body:
            return
        if given is None:
            raise HttpRefusal(401, "body_md5 is missing, and there is a body")
        # MD5 is Pusher's choice; the signature covers it.
        if not hmac.compare_digest(hashlib.md5(body, usedforsecurity=False).hexdigest().encode(), given.encode()):
            raise HttpRefusal(401, "body_md5 is not the MD5 of the body")


def read_request(apps: Apps, method: str, target: str, now: float) -> PusherRequest:
    """
    Find the app, check the signature, and find the route.

    Args:
        target: path and query, as they were sent.
        now: seconds since 1970.

    Raises:
        HttpRefusal: the request is refused.
    """
    path, _, query = target.partition("?")
    id, _, rest = path.removeprefix(PREFIX).partition("/")
    app = apps.by_id(unquote(id)) if path.startswith(PREFIX) else None
    if app is None:
        raise HttpRefusal(404, "there is no app with this id")
    key, parameters = _check_signature(app, method, path, _readings(query), now)
    if not app.is_enabled:
        raise HttpRefusal(403, "this app is disabled")
    route, subject = _route(method, rest.removesuffix("/").split("/"))
    return PusherRequest(app, route, subject, key, parameters)


def _readings(query: str) -> list[dict[str, str]]:
    """The parameters of a query; some libraries write a space as +, and others +."""
    as_plus = _parameters(query)
    return [as_plus, _parameters(query.replace("+", " "))] if "+" in query else [as_plus]


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        name = unquote(name).lower()
        if name in found:
            raise HttpRefusal(401, f"the parameter {name[:80]!r} is there twice")
        try:
            found[name] = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise HttpRefusal(401, f"the parameter {name[:80]!r} is not UTF-8") from None
    return found


def _check_signature(
    app: App, method: str, path: str, readings: Sequence[Mapping[str, str]], now: float
) -> tuple[str, Mapping[str, str]]:
    """Returns the key by which the request is signed, and its parameters as they are signed."""
    parameters = readings[0]
    for name in ("auth_key", "auth_timestamp", "auth_version", _SIGNATURE):
        if name not in parameters:
            raise HttpRefusal(401, f"the parameter {name} is missing")
    key, secret = parameters["auth_key"], app.secrets.get(parameters["auth_key"])
    if secret is None:
        raise HttpRefusal(401, "auth_key is not a key of this app")
    if parameters["auth_version"] != _VERSION:
        raise HttpRefusal(401, f"auth_version is not {_VERSION}")
    for reading in readings:
        if _is_signed(secret, method, path, reading):
            _check_time(parameters["auth_timestamp"], now)
            return key, reading
    raise HttpRefusal(401, "auth_signature is not the signature of this request")


def _is_signed(secret: str, method: str, path: str, parameters: Mapping[str, str]) -> bool:
    signed = {name: value for name, value in parameters.items() if name != _SIGNATURE}
    # Some libraries sign a path before they escape it.
    paths = dict.fromkeys([path, unquote(path)])
    return any(is_signed(secret, request_text(method, each, signed), parameters[_SIGNATURE]) for each in paths)


def _check_time(timestamp: str, now: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_DIGITS):
        raise HttpRefusal(401, "auth_timestamp is not a time in seconds since 1970")
    if abs(int(timestamp) - now) > MAX_AGE_S:
        raise HttpRefusal(401, f"auth_timestamp is more than {MAX_AGE_S} s from the time of this node, {now:.0f}")


def _route(method: str, given: list[str]) -> tuple[str, str]:
    for parts, (name, allowed) in _ROUTES.items():
        if len(parts) != len(given):
            continue
        if all(part == text or (part == "{}" and text) for part, text in zip(parts, given, strict=True)):
            if method != allowed:
                raise HttpRefusal(405, f"only {allowed} is answered here")
            return name, next((unquote(text) for part, text in zip(parts, given, strict=True) if part == "{}"), "")
    raise HttpRefusal(404, "there is nothing here")
