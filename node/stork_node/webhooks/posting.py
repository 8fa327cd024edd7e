"""One POST over a connection of its own. It ends within its time, whatever the other side does."""

import http.client
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from stork_node.webhooks.forms import Form


class Poster:
    """Posts to one webhook. To be used by one thread, but for ``abort``."""

    def __init__(self, settings: Form) -> None:
        self._settings = settings
        self._url = urlsplit(settings.url)
        self._connection: http.client.HTTPConnection | None = None
        self._is_late = False

    def post(self, body: bytes) -> str:
        """Send one batch; returns why it has not arrived, as a clause, or nothing. Redirects are not followed."""
        timeout_s = self._settings.timeout_s
        self._is_late = False
        self._connection = connection = self._new_connection()
        deadline = threading.Timer(timeout_s, self._end_late)
        deadline.daemon = True
        deadline.start()
        try:
            connection.request("POST", self._target, body, self._headers(body))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._is_late or isinstance(error, TimeoutError):
                return f"has not answered in {timeout_s:g} s"
            return f"cannot be reached: {error or type(error).__name__}"
        finally:
            deadline.cancel()
            connection.close()
        return "" if 200 <= status < 300 else f"has answered {status}"

    def abort(self) -> None:
        """End a request that is on its way; from any thread."""
        connection = self._connection
        sock = connection.sock if connection else None
        if sock:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _end_late(self) -> None:
        self._is_late = True
        self.abort()

    def _new_connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=self._settings.timeout_s)

    @property
    def _target(self) -> str:
        return (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")

    def _headers(self, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "User-Agent": "stork-node",
            "Connection": "close",
            **self._settings.headers(body),
        }
