"""The opening of a client's connection: its app, and the version of the protocol."""

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from stork_node.pusher import codes
from stork_node.pusher.apps import App, Apps

PATH = "/app/"
_VERSIONS = ("5", "6", "7")


@dataclass(frozen=True)
class NotOpened:
    """A connection that ends before it is established: the code, and one sentence for the client."""

    code: int
    reason: str


def choose_app(apps: Apps, target: str) -> App | NotOpened:
    """
    The app of a client.

    Args:
        target: path and query of its request.
    """
    path, _, query = target.partition("?")
    key = unquote(path.removeprefix(PATH).removesuffix("/"))
    app = apps.by_key(key) if path.startswith(PATH) else None
    if app is None:
        return NotOpened(codes.APP_UNKNOWN, "there is no app with this key")
    if not app.is_enabled:
        return NotOpened(codes.APP_DISABLED, "this app is disabled")
    for version in parse_qs(query).get("protocol", ()):
        if not (version.isascii() and version.isdigit()):
            return NotOpened(codes.INVALID_VERSION, "the version of the protocol is a number")
        if version not in _VERSIONS:
            return NotOpened(codes.UNSUPPORTED_VERSION, f"versions {', '.join(_VERSIONS)} of the protocol are served")
    return app
