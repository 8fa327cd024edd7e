"""A backend that webhooks are sent to: a real HTTP server, which does what a test says."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from stork_node import verify_webhook

SECRET = "a secret of the test's webhook"


Check = Callable[[Mapping[str, str], bytes], bool]
"""Whether a request with these headers and this body is signed."""


def _by_stork(headers: Mapping[str, str], body: bytes) -> bool:
    return verify_webhook(SECRET, headers["Stork-Signature"], body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    target: "Target"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.target._take(self, body)

    def log_message(self, *_: Any) -> None:
        pass


class Target:
    """
    Attributes:
        events: those of all requests that were answered with 2xx, in order.
        requests: how many came.
        batches: the same, by request.
        script: what to do with the next requests: a status, "hang", "cut", "cut after 200", or "late": taken, and
            answered too late.
    """

    def __init__(self, port: int = 0, is_signed: Check = _by_stork) -> None:
        self.is_signed = is_signed
        self.events: list[dict[str, Any]] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.bodies: list[bytes] = []
        self.statuses: list[Any] = []
        self.script: deque[int | str] = deque()
        self.otherwise: int | str = 200
        self._port = port
        self._let_go = threading.Event()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hooks?from=stork"

    @property
    def requests(self) -> int:
        return len(self.statuses)

    def open(self) -> "Target":
        self._let_go.clear()
        self._server = _Server(("127.0.0.1", self._port), _Handler)
        self._server.target = self
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self) -> None:
        self._let_go.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> "Target":
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, handler: _Handler, body: bytes) -> None:
        assert handler.path == "/hooks?from=stork"
        do = self.script.popleft() if self.script else self.otherwise
        if not self.is_signed(handler.headers, body):
            do = 401
        self.bodies.append(body)
        self.statuses.append(do)
        if do in (200, 204, "cut after 200", "late"):
            events = json.loads(body)["events"]
            self.batches.append(events)
            self.events += events
        if do in ("hang", "late"):
            self._let_go.wait(20)
            handler.close_connection = True
        elif do == "cut":
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            if do == "cut after 200":
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n")
                handler.wfile.flush()
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            assert isinstance(do, int)
            handler.send_response(do)
            if 300 <= do < 400:
                handler.send_header("Location", "http://127.0.0.1:9/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
