"""Tells which of a few procedures are registered now."""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import defer, task
from twisted.internet.interfaces import IReactorTime

LookUp = Callable[[str], int | None]
"""From a procedure to the id of its registration; None: nobody has registered it."""

COMPARE_S = 0.5
_CHANGES = (
    "wamp.registration.on_create",
    "wamp.registration.on_register",
    "wamp.registration.on_unregister",
    "wamp.registration.on_delete",
    "wamp.session.on_leave",
)


class Registrations:
    """
    The registration ids of the watched URIs; ``changed`` waits for the next change.

    With ``look_up``, they are looked up in the router at each question. Without it, this keeps a copy of what the
    router has: WAMP's meta events only say when to compare it, since some changes have none. It is compared as well
    after a failed call (``compare``), and while somebody waits.

    After a callee has left, its registration may stay for one more turn of the reactor, though calls to it fail. So
    ``has`` may be wrong for that turn: callers must handle a failed call, and wait.
    """

    def __init__(
        self, reactor: IReactorTime, uris: Iterable[str], registered: Callable[[], None] = lambda: None
    ) -> None:
        """``registered`` is called at each registration of one of ``uris``, also if there is one already."""
        self._reactor, self._registered = reactor, registered
        self._ids: dict[str, int | None] = dict.fromkeys(uris)
        self._waiting: list[defer.Deferred[bool]] = []
        self._session: Any = None
        self._look_up: LookUp | None = None
        self._comparing: defer.Deferred[None] | None = None
        self._is_outdated = False
        self._polling = task.LoopingCall(self.compare)
        self._polling.clock = reactor

    async def watch(self, session: Any, look_up: LookUp | None = None) -> None:
        """Follow the meta events of ``session``'s realm, then look up the existing registrations."""
        self._session, self._look_up = session, look_up
        for topic in _CHANGES[:-1] if look_up else _CHANGES:
            await session.subscribe(self._added if topic == "wamp.registration.on_register" else self._changed, topic)
        await self.compare()

    def has(self, uri: str) -> bool:
        return (self._look_up(uri) if self._look_up else self._ids[uri]) is not None

    def compare(self) -> "defer.Deferred[None]":
        """Compare what is known with what the router has; fires when that is done."""
        if self._look_up:
            self._take({uri: self._look_up(uri) for uri in self._ids})
            return defer.succeed(None)
        self._is_outdated = True
        if self._comparing is None or self._comparing.called:
            # A call fails while the session is going away; the next comparison will do better.
            self._comparing = defer.ensureDeferred(self._compare_by_calls()).addErrback(lambda _: None)
        done: defer.Deferred[None] = defer.Deferred()
        self._comparing.addBoth(lambda _: done.callback(None))
        return done

    async def _compare_by_calls(self) -> None:
        while self._is_outdated:
            self._is_outdated = False
            self._take({uri: await self._session.call("wamp.registration.lookup", uri) for uri in self._ids})

    def changed(self, within_s: float) -> "defer.Deferred[bool]":
        """Fires with True at the next change, or with False after ``within_s`` seconds without one."""
        waiting: defer.Deferred[bool] = defer.Deferred()
        timer = self._reactor.callLater(max(0.0, within_s), self._give_up, waiting)

        def stop_timer(result: bool) -> bool:
            if timer.active():
                timer.cancel()
            if not self._waiting and self._polling.running:
                self._polling.stop()
            return result

        self._waiting.append(waiting)
        if not self._polling.running:
            self._polling.start(COMPARE_S, now=False)
        return waiting.addCallback(stop_timer)

    def _give_up(self, waiting: "defer.Deferred[bool]") -> None:
        self._waiting.remove(waiting)
        waiting.callback(False)

    def _changed(self, *_: Any, **__: Any) -> None:
        self.compare()

    def _added(self, _session_id: int, registration_id: int, **_: Any) -> None:
        def tell(_: None) -> None:
            if registration_id in self._ids.values():
                self._registered()

        self.compare().addCallback(tell)

    def _take(self, found: dict[str, int | None]) -> None:
        if found == self._ids:
            return
        self._ids = found
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(True)
