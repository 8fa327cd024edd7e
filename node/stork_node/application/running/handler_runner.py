"""Runs one handler: a plain function in a thread, a coroutine on the loop, each inside ``around``."""

import asyncio
import contextvars
import inspect
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Any

from stork_node.application.declarations import Handler
from stork_node.application.running.handler_context import NotBegun, begin, handler_context, has_begun
from stork_node.application.running.thread_switching import RunOn, is_on_loop, switch_to
from stork_node.errors import StorkError

HANDLER_FAILED = "io.virge.stork.error.handler_failed"
"""The URI of the error that the caller of a procedure gets when its handler failed."""


class HandlerFailed(StorkError):
    """
    A handler that raised, or returned a value that its kind may not return.

    Its text and its cause are for the log, not for a client.

    Args:
        handler: the handler.
        cause: its exception, or a ``TypeError`` or ``ValueError`` about its result.
    """

    def __init__(self, handler: Handler, cause: BaseException) -> None:
        said = traceback.format_exception_only(cause)[-1].strip()
        super().__init__(f"{handler} failed: {said}")
        self.kind, self.name, self.location, self.cause = handler.kind, handler.name, handler.location, cause


class HandlerRunner:
    """
    Args:
        around: returns the context manager for each run of a handler.
        threads: runs plain functions.
        observe: gets the kind and the run time (seconds) of each handler that has ended, on the handler's thread.
    """

    def __init__(
        self,
        around: Callable[[], AbstractContextManager[Any]],
        threads: Executor,
        observe: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        self._around, self._threads, self._observe = around, threads, observe

    async def run(self, handler: Handler, *arguments: Any, passing: type[Exception] | tuple[()] = ()) -> Any:
        """
        Call a handler in the caller's context variables, and await its result if that is possible.

        The caller runs on the loop, or in a ``ThreadSwitcher``, which then moves to the handler's place.

        If a run is cancelled, a plain function goes on in its thread, and its result is dropped.

        Args:
            handler: the handler to call.
            arguments: its arguments.
            passing: exceptions of the handler that are an answer; they are raised unchanged.

        Raises:
            HandlerFailed: it raised another exception.
            NotBegun: the caller no longer waits, so the handler was not called.
        """
        began = time.perf_counter()
        try:
            if is_async(handler.function):
                await switch_to(RunOn.LOOP)
                begin()
                return await self._run_here(handler.function, *arguments)
            if is_on_loop():
                result, error = await self._run_in_thread(handler.function, *arguments)
                has_begun()
            else:
                await switch_to(RunOn.THREAD)
                begin()
                result, error = self._outcome(handler.function, *arguments)
            if error:
                raise error
            if not inspect.isawaitable(result):
                return result
            # A decorated or partial coroutine function looks like a plain one.
            await switch_to(RunOn.LOOP)
            return await self._run_here(lambda: result)
        except NotBegun:
            raise
        except passing:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task() if is_on_loop() else None
            if task and task.cancelling():
                raise
            raise HandlerFailed(handler, error) from error  # raised by the handler itself
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # sys.exit() would stop the loop
            raise HandlerFailed(handler, error) from error
        finally:
            self._observe(handler.kind, time.perf_counter() - began)

    async def _run_here(self, function: Callable[..., Any], *arguments: Any) -> Any:
        may_take_s = handler_context.get().may_take_s
        try:
            async with asyncio.timeout(may_take_s or None) as limit:
                with self._around():
                    return await function(*arguments)
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"not through within {may_take_s:g} s") from None
            raise

    async def _run_in_thread(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, BaseException | None]:
        context = contextvars.copy_context()
        return await asyncio.wrap_future(self._threads.submit(context.run, self._outcome, function, *arguments))

    def _outcome(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, BaseException | None]:
        # Returned, not raised: an asyncio future refuses to carry a StopIteration, and would hang.
        try:
            with self._around():
                return function(*arguments), None
            return None, None  # around has swallowed an exception
        except BaseException as error:
            return None, error


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call of ``function`` makes a coroutine: ``async def``, also as an object's ``__call__``."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
