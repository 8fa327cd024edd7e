"""
The user's application in this process. The first component that needs it loads and starts it, once.

Its handlers run in threads and on an asyncio loop of their own (``application.running``), never on the reactor's
thread.
"""

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet import defer, reactor
from twisted.logger import Logger

from stork_crossbar import registry
from stork_crossbar.component import Component, end_worker
from stork_crossbar.http.outgoing import Answer, OutgoingHttp
from stork_crossbar.internals.forks import close_in_children
from stork_crossbar.internals.from_threads import FromThreads
from stork_node import AsyncPublisher, Publisher
from stork_node.access.composing import DEFAULT_APP, Access, Application, compose
from stork_node.access.declaring import Post
from stork_node.access.http_questions import MAX_ANSWER_BYTES
from stork_node.access.settings import Feeds, HttpSettings, feeds_section, http_section
from stork_node.application.policy import Undecided
from stork_node.application.running.handler_context import NotBegun
from stork_node.application.running.handler_runner import HANDLER_FAILED, HandlerFailed
from stork_node.application.running.runtime import Runtime, log_failure
from stork_node.application.running.thread_switching import Interruption
from stork_node.application.values import ClientSession
from stork_node.config.settings import count, seconds, section, servers, setting, text
from stork_node.errors import CallError, StorkError
from stork_node.gc_tuning import freeze_startup_objects
from stork_node.metrics.node_figures import ApplicationFigures
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.tokens.settings import JwtSettings
from stork_node.transport.endpoints import Port, local_endpoint


@dataclass(frozen=True)
class ApplicationSettings:
    """
    ``extra`` of the application.

    ``app`` is ``module:variable``, or empty. ``jwt``, ``http`` and ``feeds`` decide in its place or beside it (see
    docs/no-python.md). ``threads`` is the number of threads for each kind of plain ``def`` handler.
    ``push`` is the endpoint for ``stork.push``, ``secret`` STORK_BUS_SECRET or empty. ``stop_s`` is the time in which
    open calls may end, and then on_stop handlers.

    A plain handler that takes longer than ``hung_after_s`` counts as hung. If hung handlers hold all threads that a
    waiting request needs, the process ends, and the node starts another one (0: never). It also ends when the asyncio
    loop is blocked for ``loop_hung_after_s``.
    """

    app: str = setting(text, DEFAULT_APP)
    jwt: JwtSettings = setting(section(JwtSettings), JwtSettings())
    http: HttpSettings = setting(http_section, HttpSettings())
    feeds: Feeds = setting(feeds_section, ())
    threads: int = setting(count, 32)
    push: str = setting(servers, local_endpoint(Port.ROUTER))
    secret: str = setting(text, "")
    stop_s: float = setting(seconds, 5.0)
    hung_after_s: float = setting(seconds, 60.0)
    loop_hung_after_s: float = setting(seconds, 10.0)

    @property
    def access(self) -> Access:
        return Access(self.app, self.jwt, self.http, self.feeds)


class Disagreement(StorkError):
    """Two components of one process name different applications."""


class ApplicationProcess:
    """
    The application's handlers, for the components, as Deferreds.

    Cancelling a Deferred cancels its handler. A failed handler is logged with its traceback; its caller gets only
    ``HANDLER_FAILED``.
    """

    def __init__(self, composed: Application, runtime: Runtime) -> None:
        self.stork, self.rules, self.summary = composed.stork, composed.rules(), composed.summary()
        self._runtime = runtime

    @property
    def figures(self) -> ApplicationFigures:
        return self._runtime.figures

    def authenticate(
        self, realm: str, authid: str | None, details: Mapping[str, Any], within_s: float | None = None
    ) -> "defer.Deferred[Any]":
        return self._answer(self._runtime.authenticate(realm, authid, details, within_s))

    def authorize(
        self,
        session: Mapping[str, Any],
        uri: str,
        action: str,
        options: Mapping[str, Any],
        within_s: float | None = None,
    ) -> "defer.Deferred[Any]":
        return self._answer(self._runtime.authorize(session, uri, action, options, within_s))

    def forget(self, session_ids: Sequence[int]) -> None:
        """These sessions are gone: do not begin their waiting handlers."""
        for session_id in session_ids:
            self._runtime.forget(session_id)

    def call(
        self,
        uri: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        session: Mapping[str, Any],
        interruption: Interruption,
    ) -> "defer.Deferred[Any]":
        return self._answer(self._runtime.call(uri, args, kwargs, ClientSession.parse(session)), interruption)

    def joined(self, session: Mapping[str, Any]) -> None:
        self._runtime.submit(self._runtime.joined(ClientSession.parse(session)))

    def left(self, session: Mapping[str, Any]) -> None:
        self._runtime.submit(self._runtime.left(ClientSession.parse(session)))

    def tell_presence(self, told: Sequence[Mapping[str, Any]], within_s: float) -> "defer.Deferred[str]":
        return _on_reactor(self._runtime.submit(self._runtime.tell_presence(told, within_s)))

    def finish(self, within_s: float) -> "defer.Deferred[None]":
        """Fires when no handler runs any more, or after ``within_s`` seconds."""
        return _on_reactor(self._runtime.finish(within_s))

    def _answer(
        self, coroutine: Coroutine[Any, Any, Any], interruption: Interruption | None = None
    ) -> "defer.Deferred[Any]":
        return _on_reactor(self._runtime.answer(coroutine, interruption)).addErrback(_as_wamp_error)


_reactor = FromThreads(reactor)
_log = Logger(namespace=__name__)


class Started(dict[ApplicationSettings, "defer.Deferred[ApplicationProcess]"]):
    """The application of this process: one, or none yet."""


def is_started() -> bool:
    """Whether a component of this process has needed the application before."""
    return bool(singleton(Started))


async def run_application(settings: ApplicationSettings) -> ApplicationProcess:
    """
    Start the process's application, unless it runs already.

    Raises:
        Disagreement: another component of this process has other settings.
        StorkError: the application cannot be imported, or one of its on_start handlers failed.
    """
    asked_for = singleton(Started)
    if settings not in asked_for:
        if asked_for:
            raise Disagreement("the application's components of one process must have the same extra")
        registry.finish_by(finish)
        asked_for[settings] = defer.ensureDeferred(_start(settings))
    started: defer.Deferred[ApplicationProcess] = defer.Deferred()

    def hand_on(result: Any) -> Any:
        started.callback(result)
        return result

    asked_for[settings].addBoth(hand_on)
    application: ApplicationProcess = await started
    return application


async def _start(settings: ApplicationSettings) -> ApplicationProcess:
    composed = compose(settings.access, sys.path, "extra", _poster(settings))
    stork = composed.stork
    for note in composed.notes:
        _log.warn("{note}", note=note)
    secret = settings.secret or None
    publisher, async_publisher = Publisher(settings.push, secret=secret), AsyncPublisher(settings.push, secret=secret)
    stork.connect(publisher, async_publisher)
    runtime = Runtime(
        stork,
        threads=settings.threads,
        hung=_end_process,
        hung_after_s=settings.hung_after_s,
        loop_hung_after_s=min(settings.loop_hung_after_s, settings.hung_after_s),
    )

    async def stop() -> None:
        await _on_reactor(runtime.stop(settings.stop_s))
        publisher.close()

    close_in_children(reactor)
    await _on_reactor(runtime.start())
    freeze_startup_objects()
    reactor.addSystemEventTrigger("before", "shutdown", lambda: defer.ensureDeferred(stop()))
    return ApplicationProcess(composed, runtime)


def _poster(settings: ApplicationSettings) -> Post:
    """Sends requests of handlers, which run on a loop of their own, by the reactor."""
    http = OutgoingHttp(reactor, settings.http.timeout_s, MAX_ANSWER_BYTES)

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer: Future[Answer] = Future()
        _reactor.call(lambda: _settle(answer, defer.ensureDeferred(http.post(url, headers, body))))
        return await asyncio.wrap_future(answer)

    return post


def _settle(future: "Future[Any]", deferred: "defer.Deferred[Any]") -> None:
    if not future.set_running_or_notify_cancel():
        deferred.addErrback(lambda _: None)
        deferred.cancel()
    else:
        deferred.addCallbacks(future.set_result, lambda failure: future.set_exception(failure.value))


async def follow_leavers(session: Component, application: ApplicationProcess) -> None:
    """
    Subscribe to ``io.virge.stork.app.gone(session_ids)``, once in a process, and forget the requests of these sessions.
    """
    await session.subscribe(application.forget, uris.APP_GONE)


async def finish() -> None:
    """Wait for the open calls of this process's application, at most ``stop_s``."""
    for settings, started in list(singleton(Started).items()):
        if started.called and isinstance(application := started.result, ApplicationProcess):
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
    if isinstance(error, NotBegun):
        raise ApplicationError(uris.NOT_BEGUN, str(error))
    if isinstance(error, Undecided):
        raise ApplicationError(uris.UNDECIDED, str(error))
    if isinstance(error, HandlerFailed):
        log_failure(error)
        raise ApplicationError(HANDLER_FAILED, f"the {error.kind} failed")
    return failure
