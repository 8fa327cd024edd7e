"""The requests that the HTTP API answers: one table for the answers and for their description."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from stork_node.api.answers import ApiError
from stork_node.api.pushes import MAX_BODY_BYTES
from stork_node.protocol.commands.documents import MAX_COMMAND_BYTES

MAX_CALL_BYTES = 1 << 20


@dataclass(frozen=True)
class Route:
    """
    ``path`` is below ``/api/``; a part in braces is any text. ``right`` is what the key needs; empty: any key.

    ``max_body_bytes`` is 0 for requests without a body.
    """

    name: str
    method: str
    path: str
    right: str
    max_body_bytes: int = 0

    @property
    def methods(self) -> tuple[str, ...]:
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


ROUTES = (
    Route("push", "POST", "push", "push", MAX_BODY_BYTES),
    Route("command", "POST", "command", "command", MAX_COMMAND_BYTES),
    Route("outcome", "GET", "command/{position}", "command"),
    Route("call", "POST", "call", "call", MAX_CALL_BYTES),
    Route("position", "GET", "position", "read"),
    Route("topics", "GET", "topics", "read"),
    Route("topic", "GET", "topics/{topic}", "read"),
    Route("history", "GET", "topics/{topic}/history", "read"),
    Route("online", "GET", "topics/{topic}/online", "read"),
    Route("user", "GET", "users/{authid}", "read"),
    Route("nodes", "GET", "nodes", "read"),
    Route("busy", "GET", "busy", "read"),
    Route("why", "GET", "why", "read"),
    Route("description", "GET", "openapi.json", ""),
)
_BY_PARTS = {tuple(route.path.split("/")): route for route in ROUTES}


@dataclass(frozen=True)
class Target:
    """A route, the texts at its braces, and the query."""

    route: Route
    names: Mapping[str, str]
    query: str


def find(method: str, target: bytes) -> Target:
    """
    The route of a request.

    Args:
        target: the path from ``/api`` on, with its query.

    Raises:
        ApiError: there is none, or it takes another method.
    """
    path, _, query = target.decode("ascii").partition("?")
    given = path.split("/")[2:]
    for parts, route in _BY_PARTS.items():
        if len(parts) != len(given):
            continue
        names = {part[1:-1]: unquote(text) for part, text in zip(parts, given, strict=True) if part[:1] == "{"}
        if all(part[:1] == "{" or part == text for part, text in zip(parts, given, strict=True)) and all(
            names.values()
        ):
            if method not in route.methods:
                allowed = ", ".join(route.methods)
                raise ApiError("method_not_allowed", f"only {allowed} is answered here", (b"Allow", allowed.encode()))
            return Target(route, names, query)
    raise ApiError("not_found", "there is nothing here (GET /api/openapi.json describes what there is)")
