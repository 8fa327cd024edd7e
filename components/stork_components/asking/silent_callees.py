"""The backends that do not answer: passed over until they do, or until somebody registers anew."""

from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

PROBE_S = 10.0
"""How often a silent callee is asked again, by a copy of a request that does not wait for it."""


class SilentCallees:
    """One question without an answer in time is enough, if no other one was answered meanwhile."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._heard: dict[str, float] = {}
        self._open: dict[str, list[defer.Deferred[Any]]] = {}
        self._next_probe: dict[str, float] = {}

    def is_silent(self, uri: str) -> bool:
        return uri in self._open

    def heard(self, uri: str) -> None:
        """It has answered, in whatever way."""
        self._heard[uri] = self._reactor.seconds()
        for call in self._open.pop(uri, ()):
            call.cancel()

    def late(self, uri: str, asked_at: float, call: "defer.Deferred[Any]") -> bool:
        """A call of that time took too long. Returns whether it is the one that makes its callee silent: it goes on."""
        if uri in self._open or self._heard.get(uri, -1.0) >= asked_at:
            return False
        self._next_probe[uri] = self._reactor.seconds()  # of several callees, another one may answer
        self._listen(uri, call)
        return True

    def probe(self, uri: str, begin: Callable[[], "defer.Deferred[Any]"]) -> None:
        """Ask a silent callee again, if it is time for that."""
        now = self._reactor.seconds()
        if uri in self._open and now >= self._next_probe[uri]:
            self._next_probe[uri] = now + PROBE_S
            *outdated, latest = self._open[uri]
            self._open[uri] = [latest]
            self._listen(uri, begin())
            for call in outdated:
                call.cancel()

    def forget(self) -> None:
        """Somebody has registered: what was known is out of date."""
        for uri in list(self._open):
            for call in self._open.pop(uri):
                call.cancel()

    def _listen(self, uri: str, call: "defer.Deferred[Any]") -> None:
        self._open.setdefault(uri, []).append(call)

        def answered(_: Any) -> None:
            if call in self._open.get(uri, ()):
                self._open[uri].remove(call)
                self.heard(uri)

        call.addBoth(answered)
