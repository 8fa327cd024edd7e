"""A web application for tests: it serves key sets, and answers what ``http`` of config.json asks."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SECRET = "secret-of-the-route"

# By ticket or feed id: status, headers, body. None: no answer within a second.
_FAULTS: dict[str, tuple[int, dict[str, str], bytes] | None] = {
    "redirect": (302, {"Location": "/login"}, b""),
    "moved": (301, {"Location": "/connect"}, b""),
    "missing": (404, {}, b"<html>"),
    "csrf": (419, {}, b""),
    "busy": (429, {}, b""),
    "broken": (500, {}, b"Traceback"),
    "down": (503, {}, b""),
    "empty": (200, {}, b""),
    "html": (200, {}, b"<html>"),
    "list": (200, {}, b"[]"),
    "huge": (200, {}, b'{"allow": true, "authid": "ann", "extra": {"a": "' + b"x" * 70_000 + b'"}}'),
    "slow": None,
    "created": (201, {}, b'{"allow": true, "authid": "ann"}'),
}
FAULTS = tuple(_FAULTS)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that do not wait are a part of the tests."""


class WebApplication:
    """
    Attributes:
        key_set: the document at ``/jwks``; None: 503.
        asked: the documents that came, each with its path and headers.
        url: where it listens.
    """

    def __init__(self) -> None:
        self.key_set: bytes | None = None
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        application = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                application.asked.append((self.path, {}, {}))
                found = application.key_set
                self._send(503 if found is None else 200, {}, found or b"")

            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                application.asked.append((self.path, document, {k.lower(): v for k, v in self.headers.items()}))
                status, headers, body = application.answer(self.path, document, self.headers["Authorization"])
                self._send(status, headers, body)

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, path: str) -> int:
        return sum(each[0] == path for each in self.asked)

    def answer(self, path: str, document: dict[str, Any], authorization: str) -> tuple[int, dict[str, str], bytes]:
        if authorization != f"Bearer {SECRET}":
            return 403, {}, b""
        what = document["ticket"] if path == "/connect" else document["topic"].rpartition(".")[2]
        if what in _FAULTS:
            fault = _FAULTS[what]
            if fault is None:
                time.sleep(1.0)
            return fault or (200, {}, b'{"allow": true, "authid": "late"}')
        if what in ("denied", "old"):
            return 403 if what == "denied" else 401, {}, b""
        return 200, {}, json.dumps(self.decide(path, document, what)).encode()

    @staticmethod
    def decide(path: str, document: dict[str, Any], what: str) -> dict[str, Any]:
        if path == "/subscribe":
            is_theirs = what in document["session"]["private"].get("orders", [])
            return {"allow": is_theirs, **({"cache_s": 60} if is_theirs else {})}
        answers: dict[str, dict[str, Any]] = {
            "nameless": {"extra": {}},
            "number": {"authid": 7, "topics": ["v1.number.*"], "expires_at": time.time() + 2},
            "mistaken": {"authid": "ann", "topics": "all"},
            "listed": {"authid": "ann", "private": [1]},
        }
        return answers.get(what, {"authid": what, "extra": {"hello": what}, "private": {"orders": ["1", "2"]}})
