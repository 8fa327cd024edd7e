"""Runs an application off the reactor: its handlers run in threads and on a loop."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from stork_node.application.auth_request import AuthRequest
from stork_node.application.declarations import Handler
from stork_node.application.permission import Permission
from stork_node.application.policy import Answer, Checks, Undecided, choose_checks, fold, is_yes, read_answer
from stork_node.application.rpc import Procedure, decode_arguments, encode_result, is_uri
from stork_node.application.running.handler_context import HandlerContext, Kind, NotBegun, handler_context
from stork_node.application.running.handler_runner import HANDLER_FAILED, HandlerFailed, HandlerRunner
from stork_node.application.running.hang_watch import HangWatch
from stork_node.application.running.loop_thread import LoopThread
from stork_node.application.running.presence import Presence
from stork_node.application.running.presence_calls import PresenceCalls, Told, TooLate
from stork_node.application.running.thread_pools import ThreadPools
from stork_node.application.running.thread_switching import Interruption, ThreadSwitcher
from stork_node.application.stork import Stork
from stork_node.application.values import Call, ClientSession, Deny, Principal
from stork_node.errors import CallError, NoDecision
from stork_node.logs.repeats import ONCE
from stork_node.metrics.node_figures import ApplicationFigures
from stork_node.protocol.wire_values import to_wire

__all__ = ["HANDLER_FAILED", "HandlerFailed", "NotBegun", "Runtime", "log_failure"]

T = TypeVar("T")

# The time for cancelled handlers to end, and for a blocked loop.
_GRACE_S = 2.0

_log = logging.getLogger(__name__)


def log_failure(failure: HandlerFailed) -> None:
    """
    Log a failure by the standard library's logging: with its traceback, unless another server failed, and no code. A
    node's log has one traceback for each handler and class of exception, and counts the others.
    """
    if isinstance(failure.cause, NoDecision):
        _log.warning("%s: %s", failure.location, failure.cause)
        return
    subject = f"{ONCE}{failure.location} {type(failure.cause).__qualname__}"
    _log.error("%s", failure, exc_info=failure.cause, extra={"subject": subject})


class Runtime:
    """
    One application, running.

    ``start``, ``stop``, ``submit`` and ``answer`` may be called from any thread and never block; they return futures.
    ``submit`` runs coroutines on the runtime's own loop, ``answer`` also in its threads. Each may be cancelled: the
    caller sets the time-outs.

    Args:
        stork: the application.
        threads: number of threads for each kind of plain function: authenticators, verifiers, procedures, and
            on_join with on_leave handlers.
        report: gets failures of handlers that have no caller; called on the loop.
        hung: gets a sentence, on any thread, if hung handlers hold all threads that a waiting request needs, or the
            loop is blocked for ``loop_hung_after_s``. A handler counts as hung after ``hung_after_s``; a procedure may
            have its own value. 0 watches nothing.
        late: gets a sentence for each handler in a thread that is above its maximum.
    """

    def __init__(
        self,
        stork: Stork,
        threads: int = 32,
        report: Callable[[HandlerFailed], None] = log_failure,
        hung: Callable[[str], None] = _log.critical,
        hung_after_s: float = 0.0,
        loop_hung_after_s: float | None = None,
        late: Callable[[str], None] = _log.error,
    ) -> None:
        self.stork = stork
        self._declared = stork.declared
        self._report = report
        self._loop = LoopThread("stork-loop")
        self._threads = ThreadPools(threads, "stork-handler")
        self.figures = ApplicationFigures()
        self._handlers = HandlerRunner(stork.around, self._threads, self.figures.observe)
        self._switcher = ThreadSwitcher(self._threads, self._loop.submit)
        self._presence = Presence()
        followers = {"online": self._declared.on_online, "offline": self._declared.on_offline}
        self._presence_calls = PresenceCalls(followers, self._call_follower)
        self._asked: set[Future[Any]] = set()
        self._may_take_s = hung_after_s or None
        pools = self._threads.watched() + self._loop.executor.watched()
        loop_s = hung_after_s if loop_hung_after_s is None else loop_hung_after_s
        self._watch = HangWatch(pools, self._loop, hung_after_s, loop_s, hung, late)

    # --- its life ---

    def start(self) -> "Future[None]":
        """
        Start the loop, and run the on_start handlers one after another.

        Returns:
            A future; it fails with the ``HandlerFailed`` of the first handler that raises. Call ``stop`` then, too.
        """
        self._loop.start()
        self._watch.start()
        return self._loop.submit(self._run_on_start())

    def stop(self, timeout_s: float = 5.0) -> "Future[None]":
        """
        Run the on_stop handlers, cancel the running ones, and end the loop.

        Args:
            timeout_s: time for the handlers. Hung handlers are left behind, and do not keep the process from
                ending.

        Returns:
            A future; it never fails.
        """
        stopped: Future[None] = Future()
        self._watch.stop()

        def stop() -> None:
            if self._loop.running:
                try:
                    self._loop.submit(self._run_on_stop(timeout_s)).result(timeout_s + _GRACE_S)
                except Exception as error:
                    _log.error("on_stop handlers not run to their end: %r (does a handler block the loop?)", error)
            self._loop.stop(_GRACE_S)
            self._threads.shutdown()
            stopped.set_result(None)

        threading.Thread(target=stop, name="stork-stop", daemon=True).start()
        return stopped

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """
        Run one of the coroutines below; cancelling the future cancels it.

        Raises:
            RuntimeError: not started, or stopped.
        """
        return self._note(self._loop.submit(coroutine))

    def answer(self, coroutine: Coroutine[Any, Any, T], interruption: Interruption | None = None) -> "Future[T]":
        """
        As ``submit``, for ``authenticate``, ``authorize`` and ``call``: plain functions run without the loop.

        Cancelling the future drops the answer; an ``interruption`` keeps the future until the handler has ended.

        Raises:
            RuntimeError: not started, or stopped.
        """
        if not self._loop.running:
            coroutine.close()
            raise RuntimeError("the application is not running")
        return self._note(self._switcher.submit(coroutine, interruption))

    def _note(self, future: "Future[T]") -> "Future[T]":
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        return future

    def forget(self, session_id: int) -> None:
        """A session is gone, or its client left before it joined: do not begin its waiting handlers."""
        self._threads.drop(session_id)
        self._loop.executor.drop(session_id)

    def finish(self, timeout_s: float) -> "Future[None]":
        """
        Wait for everything that was submitted before, at most ``timeout_s`` seconds. Then call ``stop``.

        Returns:
            A future; it never fails.
        """
        finished: Future[None] = Future()

        def wait() -> None:
            futures.wait(set(self._asked), timeout_s)
            finished.set_result(None)

        threading.Thread(target=wait, name="stork-finish", daemon=True).start()
        return finished

    async def _run_on_start(self) -> None:
        for handler in self._declared.on_start:
            await self._handlers.run(handler)

    async def _run_on_stop(self, timeout_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout_s
        for handler in self._declared.on_stop:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._run_reported(handler)
            except TimeoutError:
                self._report(HandlerFailed(handler, TimeoutError(f"not through within {timeout_s} s of the stop")))

    async def _run_reported(self, handler: Handler, *arguments: Any) -> None:
        try:
            await self._handlers.run(handler, *arguments)
        except HandlerFailed as failure:
            self._report(failure)

    # --- what the node asks ---

    def _ask_for(self, kind: Kind, user: Hashable, session_id: Any, within_s: float | None = None) -> None:
        """Set the context of the handlers that the current coroutine runs."""
        begin_by = None if within_s is None else time.monotonic() + within_s
        # Coroutines with a waiting caller have a maximum; on_join handlers have none.
        may_take_s = self._may_take_s if within_s is not None else None
        handler_context.set(HandlerContext(kind, user, session_id, begin_by, may_take_s))

    async def authenticate(
        self, realm: str, authid: str | None, details: Mapping[str, Any], within_s: float | None = None
    ) -> dict[str, Any]:
        """
        Ask the authenticator about a client.

        Args:
            realm: the realm that the client wants to join.
            authid: the name that the client asks for, or None.
            details: Crossbar's details, with ``ticket``.
            within_s: time that the caller waits for the answer. After it, the authenticator is not called; one that
                was called goes on.

        Returns:
            ``Principal.to_wire`` or ``Deny.to_wire``.

        Raises:
            HandlerFailed: the authenticator raised, or returned neither a ``Principal`` nor a ``Deny``.
            NotBegun: it was not called.
            Undecided: there is none.
        """
        if self._declared.authenticator is None:
            raise Undecided("the application declares no authenticator")
        try:
            request = AuthRequest.parse(realm, authid, details)
        except ValueError as error:
            return Deny(str(error)).to_wire()
        self._ask_for(Kind.JOIN, request.address, details.get("session"), within_s)
        answer = await self._handlers.run(self._declared.authenticator, request)
        if not isinstance(answer, Principal | Deny):
            wrong = TypeError(f"answered with a value of type {type(answer).__name__}, want Principal(…) or Deny(…)")
            raise HandlerFailed(self._declared.authenticator, wrong)
        return answer.to_wire()

    async def authorize(
        self,
        session: Mapping[str, Any],
        uri: str,
        action: str,
        options: Mapping[str, Any],
        within_s: float | None = None,
    ) -> dict[str, Any]:
        """
        Ask the verifiers about a subscription or call of a session.

        Args:
            session: as ``ClientSession.parse`` reads it.
            uri: the topic or pattern of a subscription, or the procedure of a call.
            action: ``subscribe`` or ``call``; others are refused.
            options: of the SUBSCRIBE.
            within_s: time that the caller waits for the answer. After it, the verifiers are not called; once the
                first was called, all are.

        Returns:
            ``Permission.to_wire``.

        Raises:
            HandlerFailed: a verifier raised, or returned neither True nor False nor a ``Deny``.
            NotBegun: none was called.
            Undecided: the application does not decide about subscriptions.
        """
        checks = choose_checks(self._declared, uri, action, options)
        if isinstance(checks, Deny):
            return Permission(False, reason=checks.reason).to_wire()
        asker = ClientSession.parse(session)
        self._ask_for(Kind.VERIFY, _user(asker), asker.id, within_s)
        return fold(checks.verifiers, await self._ask(checks, asker)).to_wire()

    async def _ask(self, checks: Checks, session: ClientSession) -> list[Answer]:
        arguments = (session, checks.topic) if checks.topic else (session,)
        answers: list[Answer] = []
        for verifier in checks.verifiers:
            answer = await self._handlers.run(verifier.handler, *arguments)
            try:
                answers.append(read_answer(answer))
            except TypeError as wrong:
                raise HandlerFailed(verifier.handler, wrong) from None
            if not is_yes(answers[-1]):
                break
        return answers

    async def call(self, uri: str, args: Sequence[Any], kwargs: Mapping[str, Any], session: ClientSession) -> Any:
        """
        Call a procedure. ``authorize`` decides before whether ``session`` may.

        Returns:
            Its result: JSON values, and bytes if WAMP has them.

        Raises:
            CallError: the procedure's own, or for arguments or a URI that it does not take; it may reach the
                caller.
            HandlerFailed: it raised another exception, or returned a value that WAMP does not have.
        """
        procedure = self._declared.procedures.get(uri)
        if procedure is None:
            raise CallError("wamp.error.no_such_procedure", f"no procedure {uri} is declared")
        self._ask_for(Kind.CALL, _user(session), session.id)
        handler_context.set(replace(handler_context.get(), may_take_s=procedure.may_take_s))
        arguments = decode_arguments(uri, tuple(args), dict(kwargs)) if procedure.json_string else tuple(args)
        named = {} if procedure.json_string else dict(kwargs)
        call = Call(session=session, args=arguments, kwargs=named)
        try:
            result = await self._handlers.run(procedure.handler, call, passing=CallError)
        except CallError as error:
            _check_error(procedure, error)
            raise
        try:
            result = to_wire(result, "the result", binary=not procedure.json_string)
        except (TypeError, ValueError) as wrong:
            raise HandlerFailed(procedure.handler, wrong) from None
        return encode_result(result) if procedure.json_string else result

    async def joined(self, session: ClientSession) -> None:
        """Call the on_join handlers, all at once; their failures are reported."""
        self._ask_for(Kind.PRESENCE, _user(session), session.id)
        async with self._presence.joining(session.id):
            await asyncio.gather(*(self._run_reported(handler, session) for handler in self._declared.on_join))

    async def left(self, session: ClientSession) -> None:
        """Call the on_leave handlers, all at once, after ``joined`` has ended for the session."""
        self._ask_for(Kind.PRESENCE, _user(session), session.id)
        await self._presence.joined(session.id)
        await asyncio.gather(*(self._run_reported(handler, session) for handler in self._declared.on_leave))

    async def tell_presence(self, told: Sequence[Mapping[str, Any]], within_s: float) -> str:
        """
        Call on_online and on_offline handlers.

        Args:
            told: as ``presence_calls.Told``, one for each entry.
            within_s: time in which calls begin, in seconds.

        Returns:
            Why not all were called, as a clause, or nothing: then it is to be told again.
        """
        self._ask_for(Kind.PRESENCE, None, None)
        try:
            await self._presence_calls.tell(msgspec.convert(told, list[Told]), within_s)
        except HandlerFailed as failure:
            self._report(failure)
            return f"have failed: {failure.cause!r}"
        except TooLate as late:
            return f"are not through: {late}"
        return ""

    async def _call_follower(self, handler: Handler, user: str, topic: str | None) -> None:
        await self._handlers.run(handler, user, topic)


def _user(session: ClientSession) -> Hashable:
    return session.role, session.authid


def _check_error(procedure: Procedure, error: CallError) -> None:
    """Check that WAMP can carry this error: otherwise it would end the application's session with the router."""
    try:
        if not is_uri(error.uri):
            raise ValueError(f"raised CallError({error.uri!r}), which is not a URI")
        to_wire([error.message, error.arguments, error.details], "CallError", binary=True)
    except (TypeError, ValueError) as wrong:
        raise HandlerFailed(procedure.handler, wrong) from error
