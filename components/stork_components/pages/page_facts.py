"""``page.json``: what the shipped page must know of this node, so that what it proposes works here."""

import json
import os
from typing import Any

from twisted.internet import defer, reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from stork_components.guard import Guard
from stork_components.pages.waiting_requests import WaitingRequests
from stork_crossbar import registry
from stork_node.application.summary import Summary
from stork_node.launcher.push_commands import PushCommands
from stork_node.protocol import uris

PAGE_FACTS = b"page.json"

# What the shipped app.py declares. Of another application, a stranger learns nothing here.
_FEEDS = ("v1.test", "v1.user")
_PROCEDURES = ("virge.stork.example.foo",)
_WAIT_S = 2.0


class PageFacts(Resource):
    """
    ``{"commands": {…}, "websocket": "ws", "feeds": […], "procedures": […], "trial": …}``: the commands that push, the
    WebSocket relative to the page, and which of the shipped examples the running application declares. ``trial``: it
    takes ``STORK_TICKET``.

    Requests that come while the application is asked get the same answer: a flood of them is one call at a time.
    """

    isLeaf = True

    def __init__(self, websocket: str) -> None:
        super().__init__()
        self._websocket = websocket
        self._waiting = WaitingRequests()

    def render_GET(self, request: Request) -> Any:
        if self._waiting.add(request):
            _ask_application().addCallback(self._answer_all)
        return NOT_DONE_YET

    render_HEAD = render_GET

    def _answer_all(self, summary: Summary) -> None:
        commands = PushCommands.handed_down(os.environ) or PushCommands()
        body = json.dumps({"websocket": self._websocket} | _facts(summary, commands)).encode()
        for request in self._waiting.take():
            request.setHeader(b"content-type", b"application/json")
            request.setHeader(b"content-length", b"%d" % len(body))
            request.setHeader(b"cache-control", b"no-store")
            request.setHeader(b"x-content-type-options", b"nosniff")
            request.write(body)
            request.finish()


def _ask_application() -> "defer.Deferred[Summary]":
    guard = registry.find(Guard)
    if guard is None:
        return defer.succeed(Summary())
    asked: defer.Deferred[Any] = guard.call(uris.APP_SUMMARY)
    asked.addTimeout(_WAIT_S, reactor)
    # An application that is not there now declares nothing.
    return asked.addCallbacks(Summary.parse, lambda _: Summary())


def _facts(summary: Summary, commands: PushCommands) -> dict[str, Any]:
    return {
        "commands": commands.as_json(),
        "feeds": [feed for feed in _FEEDS if feed in summary.feeds],
        "procedures": [uri for uri in _PROCEDURES if uri in summary.procedures],
        "trial": summary.takes_shared_ticket,
    }
