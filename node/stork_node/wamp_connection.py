"""Opening and closing the WebSocket under a WAMP session, in words."""

from typing import TYPE_CHECKING

from stork_node.errors import ConfigError, ConnectionRefused, Problem

if TYPE_CHECKING:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import ClientConnection

_CLOSE_TIMEOUT_S = 1.0


def connect_wamp(url: str, timeout_s: float) -> "ClientConnection":
    """
    Open a WebSocket that speaks WAMP in JSON.

    Raises:
        ConnectionRefused: nothing there, no answer in time, or no WAMP.
        ConfigError: the package ``websockets`` is missing.
    """
    try:
        from websockets.exceptions import InvalidHandshake, InvalidURI
        from websockets.sync.client import connect
        from websockets.typing import Subprotocol
    except ModuleNotFoundError:
        raise ConfigError(
            [Problem("", "WAMP needs the package websockets: pip install 'stork-node[caller]'")]
        ) from None
    try:
        connection = connect(
            url,
            subprotocols=[Subprotocol("wamp.2.json")],
            compression=None,
            proxy=None,
            open_timeout=timeout_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=None,
        )
        connection.__enter__()  # websockets 17 wants a with statement, and is content with this
    except InvalidURI:
        raise ConnectionRefused(url, "not a WebSocket address (want ws://HOST:PORT/ws)") from None
    except TimeoutError:
        raise ConnectionRefused(url, f"no answer within {round(timeout_s, 2):g} s") from None
    except (OSError, InvalidHandshake) as error:
        raise ConnectionRefused(url, _sentence(error)) from None
    if connection.subprotocol is None:
        connection.close()
        raise ConnectionRefused(url, "it does not speak WAMP in JSON (wamp.2.json)")
    return connection


def _sentence(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return getattr(error, "strerror", None) or str(error)


def closing(error: "ConnectionClosed") -> str:
    """Why a connection is closed, in one phrase."""
    if error.rcvd is None:
        return "the connection was lost"
    reason = f" {error.rcvd.reason}" if error.rcvd.reason else ""
    return f"the router closed the connection ({error.rcvd.code}{reason})"
