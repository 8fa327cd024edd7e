"""Tells which of a few procedures are registered now, from WAMP's registration meta events."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime


class Registrations:
    """
    The registration ids of the watched URIs; ``changed`` waits for the next change.

    After a callee has left, its registration stays for one more turn of the reactor, though calls to it fail. So
    ``has`` may be wrong for that turn: callers must handle a failed call, and wait.
    """

    def __init__(
        self, reactor: IReactorTime, uris: Iterable[str], registered: Callable[[], None] = lambda: None
    ) -> None:
        """``registered`` is called at each registration of one of ``uris``, also if there is one already."""
        self._reactor, self._registered = reactor, registered
        self._ids: dict[str, int | None] = dict.fromkeys(uris)
        self._waiting: list[defer.Deferred[bool]] = []

    async def watch(self, session: Any) -> None:
        """Follow the meta events of ``session``'s realm, then look up the existing registrations."""
        await session.subscribe(self._created, "wamp.registration.on_create")
        await session.subscribe(self._added, "wamp.registration.on_register")
        await session.subscribe(self._deleted, "wamp.registration.on_delete")
        for uri in self._ids:
            found = await session.call("wamp.registration.lookup", uri)
            self._set(uri, found)

    def has(self, uri: str) -> bool:
        return self._ids[uri] is not None

    def changed(self, within_s: float) -> "defer.Deferred[bool]":
        """Fires with True at the next change, or with False after ``within_s`` seconds without one."""
        waiting: defer.Deferred[bool] = defer.Deferred()
        timer = self._reactor.callLater(max(0.0, within_s), self._give_up, waiting)

        def stop_timer(result: bool) -> bool:
            if timer.active():
                timer.cancel()
            return result

        self._waiting.append(waiting)
        return waiting.addCallback(stop_timer)

    def _give_up(self, waiting: "defer.Deferred[bool]") -> None:
        self._waiting.remove(waiting)
        waiting.callback(False)

    def _created(self, _session_id: int, details: dict[str, Any], **_: Any) -> None:
        if details["uri"] in self._ids:
            self._set(details["uri"], details["id"])

    def _added(self, _session_id: int, registration_id: int, **_: Any) -> None:
        if registration_id in self._ids.values():
            self._registered()

    def _deleted(self, _session_id: int, registration_id: int, **_: Any) -> None:
        for uri, known in self._ids.items():
            if known == registration_id:
                self._set(uri, None)

    def _set(self, uri: str, registration_id: int | None) -> None:
        if self._ids[uri] == registration_id:
            return
        self._ids[uri] = registration_id
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(True)
