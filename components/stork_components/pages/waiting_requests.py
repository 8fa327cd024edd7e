"""Requests that all wait for one answer, which takes a while to be had."""

from typing import Any

from twisted.internet import defer
from twisted.web.server import Request


class WaitingRequests:
    def __init__(self) -> None:
        self._waiting: list[tuple[Request, defer.Deferred[Any]]] = []

    def add(self, request: Request) -> bool:
        """Keep a request; returns whether it is the first one, so that the answer has to be asked for."""
        gone = request.notifyFinish()
        gone.addErrback(lambda _: None)
        self._waiting.append((request, gone))
        return len(self._waiting) == 1

    def take(self) -> list[Request]:
        """All requests that have come since the last time, without those whose client has left."""
        waiting, self._waiting = self._waiting, []
        return [request for request, gone in waiting if not gone.called]
