"""
The user's application in this process: loaded and started once, whichever of its components comes first.

Its handlers run on threads and an asyncio loop of their own (``application.running``), never on the reactor's thread.
"""

import sys
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet import defer, reactor

from stork_crossbar import registry
from stork_crossbar.component import end_worker
from stork_crossbar.internals.from_threads import FromThreads
from stork_crossbar.internals.gc_tuning import leave_what_is_here_alone
from stork_node import AsyncPublisher, Publisher, Stork
from stork_node.application import loading
from stork_node.application.running.handler_runner import HANDLER_FAILED, HandlerFailed
from stork_node.application.running.runtime import Runtime, log_failure
from stork_node.application.values import Session
from stork_node.config.settings import count, endpoint, name, seconds, setting, text
from stork_node.errors import CallError, StorkError
from stork_node.metrics.node_figures import ApplicationFigures


@dataclass(frozen=True)
class ApplicationSettings:
    """
    ``extra`` of auth, topic_auth, rpc and meta; those of one process share an application, and so must agree.

    ``app`` is ``module:variable``; ``threads`` bounds the plain ``def`` handlers that run at once; ``push`` is where
    ``stork.push`` goes, ``secret`` STORK_BUS_SECRET or empty; ``stop_s`` the time that calls in flight have to end, and
    then on_stop handlers. When handlers hold every thread, or block the asyncio loop, for ``hung_after_s``, the process
    ends, for the node to start another one (0: never).
    """

    app: str = setting(name, "app:stork")
    threads: int = setting(count, 32)
    push: str = setting(endpoint, "tcp://127.0.0.1:5557")
    secret: str = setting(text, "")
    stop_s: float = setting(seconds, 5.0)
    hung_after_s: float = setting(seconds, 10.0)


class Disagreement(StorkError):
    """Two components of one process want different applications."""


class Application:
    """
    What the components ask of the application, as Deferreds.

    Cancelling one cancels its handler. A handler that fails is logged with its traceback; its caller gets
    ``HANDLER_FAILED`` without a word of what was raised.
    """

    def __init__(self, stork: Stork, runtime: Runtime) -> None:
        self.stork, self._runtime = stork, runtime

    @property
    def figures(self) -> ApplicationFigures:
        return self._runtime.figures

    def authenticate(self, realm: str, authid: str | None, details: Mapping[str, Any]) -> "defer.Deferred[Any]":
        return self._answer(self._runtime.authenticate(realm, authid, details))

    def authorize(
        self, session: Mapping[str, Any], uri: str, action: str, options: Mapping[str, Any]
    ) -> "defer.Deferred[Any]":
        return self._answer(self._runtime.authorize(session, uri, action, options))

    def call(
        self, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any], session: Mapping[str, Any]
    ) -> "defer.Deferred[Any]":
        return self._answer(self._runtime.call(uri, args, kwargs, Session.parse(session)))

    def joined(self, session: Mapping[str, Any]) -> None:
        self._runtime.submit(self._runtime.joined(Session.parse(session)))

    def left(self, session: Mapping[str, Any]) -> None:
        self._runtime.submit(self._runtime.left(Session.parse(session)))

    def finish(self, within_s: float) -> "defer.Deferred[None]":
        """Fires when nothing is running, or so many seconds are over."""
        return _on_reactor(self._runtime.finish(within_s))

    def _answer(self, coroutine: Coroutine[Any, Any, Any]) -> "defer.Deferred[Any]":
        return _on_reactor(self._runtime.answer(coroutine)).addErrback(_as_wamp_error)


_reactor = FromThreads(reactor)
_running: dict[ApplicationSettings, "defer.Deferred[Application]"] = {}


async def run_application(settings: ApplicationSettings) -> Application:
    """
    The process's application, started.

    Raises:
        Disagreement: another component of this process has other settings.
        StorkError: it cannot be imported, or one of its on_start handlers failed.
    """
    if settings not in _running:
        if _running:
            raise Disagreement("auth, topic_auth, rpc and meta of one process must have the same extra")
        registry.finish_by(finish)
        _running[settings] = defer.ensureDeferred(_start(settings))
    started: defer.Deferred[Application] = defer.Deferred()

    def hand_on(result: Any) -> Any:
        started.callback(result)
        return result

    _running[settings].addBoth(hand_on)
    application: Application = await started
    return application


async def _start(settings: ApplicationSettings) -> Application:
    stork = loading.load(settings.app, loading.find_folder(settings.app, sys.path))
    secret = settings.secret or None
    publisher, async_publisher = Publisher(settings.push, secret=secret), AsyncPublisher(settings.push, secret=secret)
    stork.connect(publisher, async_publisher)
    runtime = Runtime(stork, threads=settings.threads, hung=_end_process, hung_after_s=settings.hung_after_s)

    async def stop() -> None:
        await _on_reactor(runtime.stop(settings.stop_s))
        publisher.close()

    await _on_reactor(runtime.start())
    leave_what_is_here_alone()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: defer.ensureDeferred(stop()))
    return Application(stork, runtime)


async def finish() -> None:
    """Wait for what this process's application is asked already, ``stop_s`` at most."""
    for settings, started in list(_running.items()):
        if started.called and isinstance(application := started.result, Application):
            await application.finish(settings.stop_s)


def _end_process(sentence: str) -> None:
    end_worker(f"the application hangs: {sentence}")


def _on_reactor(future: "Future[Any]") -> "defer.Deferred[Any]":
    """A ``concurrent.futures.Future`` as a Deferred that fires on the reactor's thread."""
    deferred: defer.Deferred[Any] = defer.Deferred(lambda _: future.cancel())

    def fire() -> None:
        if deferred.called:
            return
        if future.cancelled():
            deferred.errback(defer.CancelledError())
        elif error := future.exception():
            deferred.errback(error)
        else:
            deferred.callback(future.result())

    if future.done():
        fire()
    else:
        future.add_done_callback(lambda _: _reactor.call(fire))
    return deferred


def _as_wamp_error(failure: Any) -> Any:
    error = failure.value
    if isinstance(error, CallError):
        args = (error.message, *error.arguments) if error.message else error.arguments
        raise ApplicationError(error.uri, *args, **error.details)
    if isinstance(error, HandlerFailed):
        log_failure(error)
        raise ApplicationError(HANDLER_FAILED, f"the {error.kind} failed")
    return failure
