"""A node inside the browser: serves the page's files, and says over the WebSocket what a test tells it to."""

import json
import mimetypes
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, WebSocketRoute

from stork_node.launcher.push_commands import PushCommands

ROOT = Path(__file__).parent.parent.parent
ORIGIN = "http://localhost:9"  # never reached: every request is answered here
CLIENT_FILES = {"stork.js", "stork.mjs"}


class ScriptedNode:
    """
    What the page talks to.

    ``facts`` is its page.json, None for something else there. ``refuse_join`` is an ABORT's URI or a close code for the
    next tries, None to let them in. ``refuse_topics`` and ``refuse_calls`` map topics and procedures to the URI of the
    ERROR that answers them.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.facts: dict[str, Any] | None = {
            "commands": PushCommands(
                ".venv/bin/stork", "php scripts/push.php", ".venv/bin/python scripts/push.py"
            ).as_json(),
            "feeds": ["v1.test", "v1.user"],
            "procedures": ["virge.stork.example.foo"],
            "trial": True,
        }
        self.refuse_join: str | int | None = None
        self.refuse_topics: dict[str, str] = {}
        self.refuse_calls: dict[str, str] = {"io.virge.stork.recover": "wamp.error.not_authorized"}
        self.results: dict[str, Any] = {}
        self.tickets: list[str] = []
        self.foreign: list[str] = []
        self.sockets: list[WebSocketRoute] = []
        self._topics: dict[str, int] = {}
        self._authid: str | None = None
        self._sequence = 0
        page.route("**/*", self._serve)
        page.route_web_socket("**/*", self._connected)

    def open(self, fragment: str = "ticket=good&authid=guest") -> None:
        self.page.goto(f"{ORIGIN}/#{fragment}")

    def push(self, topic: str, type_: str, data: Any, *, epoch: str = "k3v9") -> str:
        """Deliver an event to those subscribed; returns its position."""
        self._sequence += 1
        position = f"{epoch}:{self._sequence}"
        event = {"type": type_, "data": data, "timestamp": f"2026-11-23T09:41:{self._sequence % 60:02}.{137:03}Z"}
        self._send([36, self._topics[topic], 1, {}, [event], {"position": position}])
        return position

    def goodbye(self, uri: str) -> None:
        self._send([6, {}, uri])

    def revoke(self, topic: str) -> None:
        self._send([35, 0, {"subscription": self._topics[topic], "reason": "io.example.moved"}])

    def close(self, code: int) -> None:
        self.sockets[-1].close(code=code)

    def _serve(self, route: Route) -> None:
        url = route.request.url
        path = url.removeprefix(f"{ORIGIN}/").partition("#")[0] or "index.html"
        if path.startswith("http"):
            self.foreign.append(url)
            route.abort()
            return
        if path == "page.json":
            body = "<!doctype html>" if self.facts is None else json.dumps(self.facts)
            route.fulfill(status=200, body=body, content_type="application/json")
            return
        file = (ROOT / "node/js" if path in CLIENT_FILES else ROOT / ".crossbar/web") / path
        if not file.is_file():
            route.fulfill(status=404, body="")
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        route.fulfill(status=200, body=file.read_bytes(), content_type=kind)

    def _connected(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda text: self._received(json.loads(text)))

    def _send(self, message: list[Any]) -> None:
        self.sockets[-1].send(json.dumps(message))

    def _received(self, message: list[Any]) -> None:
        match message:
            case [1, _, details]:
                self._authid = details.get("authid", "guest")
                self._send([4, "ticket", {}])
            case [5, ticket, _]:
                self.tickets.append(ticket)
                self._answer_join()
            case [32, request, _, topic]:
                if uri := self.refuse_topics.get(topic):
                    self._send([8, 32, request, {}, uri])
                else:
                    self._send([33, request, self._topics.setdefault(topic, 1000 + len(self._topics))])
            case [34, request, _]:
                self._send([35, request])
            case [48, request, _, procedure, *_]:
                if uri := self.refuse_calls.get(procedure):
                    self._send([8, 48, request, {}, uri])
                elif procedure in self.results:
                    self._send([50, request, {}, [self.results[procedure]]])

    def _answer_join(self) -> None:
        match self.refuse_join:
            case None:
                self._send([2, 4203881774512093, {"authid": self._authid, "authrole": "frontend"}])
            case str(uri):
                self._send([3, {"message": "the node's own words"}, uri])
            case int(code):
                self.close(code)
