"""Opens and closes the WebSocket under a WAMP session, with errors in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from stork_node.errors import ConfigError, ConnectionRefused, Problem

if TYPE_CHECKING:
    import ssl as tls

    from websockets.asyncio.client import ClientConnection as AsyncConnection
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import ClientConnection

_CLOSE_TIMEOUT_S = 1.0
_NO_WAMP = "it does not speak WAMP in JSON (wamp.2.json)"


def require_websockets() -> None:
    """
    Raises:
        ConfigError: the package ``websockets`` is missing.
    """
    if find_spec("websockets") is None:
        raise ConfigError([Problem("", "WAMP needs the package websockets: pip install 'stork-node[caller]'")])


def connect_wamp(url: str, timeout_s: float) -> "ClientConnection":
    """
    Open a WebSocket that speaks WAMP in JSON.

    Raises:
        ConnectionRefused: no server, no answer in time, or no WAMP.
        ConfigError: the package ``websockets`` is missing.
    """
    require_websockets()
    from websockets.sync.client import connect

    with _in_words(url, timeout_s):
        connection = connect(url, **_options(timeout_s))
        connection.__enter__()  # websockets 17 wants a with statement, and is content with this
    if connection.subprotocol is None:
        connection.close()
        raise ConnectionRefused(url, _NO_WAMP)
    return connection


async def open_wamp(url: str, ssl: "tls.SSLContext | None" = None, timeout_s: float = 10.0) -> "AsyncConnection":
    """
    ``connect_wamp`` for asyncio; sends no pings of its own.

    Raises:
        ConnectionRefused: no server, no answer in time, or no WAMP.
    """
    from websockets.asyncio.client import connect

    secure: dict[str, Any] = {} if ssl is None else {"ssl": ssl}
    with _in_words(url, timeout_s):
        connection = await connect(url, ping_interval=None, **_options(timeout_s), **secure)
    if connection.subprotocol is None:
        await connection.close()
        raise ConnectionRefused(url, _NO_WAMP)
    return connection


def _options(timeout_s: float) -> dict[str, Any]:
    return {
        "subprotocols": ["wamp.2.json"],
        "compression": None,
        "proxy": None,
        "open_timeout": timeout_s,
        "close_timeout": _CLOSE_TIMEOUT_S,
        "max_size": None,
    }


@contextmanager
def _in_words(url: str, timeout_s: float) -> Iterator[None]:
    from websockets.exceptions import InvalidHandshake, InvalidURI

    try:
        yield
    except InvalidURI:
        raise ConnectionRefused(url, "not a WebSocket address (want ws://HOST:PORT/ws)") from None
    except TimeoutError:
        raise ConnectionRefused(url, f"no answer within {round(timeout_s, 2):g} s") from None
    except (OSError, InvalidHandshake) as error:
        raise ConnectionRefused(url, _sentence(error)) from None


def _sentence(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return getattr(error, "strerror", None) or str(error)


def closing(error: "ConnectionClosed") -> str:
    """The reason why a connection is closed, in one phrase."""
    if error.rcvd is None:
        return "the connection was lost"
    reason = f" {error.rcvd.reason}" if error.rcvd.reason else ""
    return f"the router closed the connection ({error.rcvd.code}{reason})"
