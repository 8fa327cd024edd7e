"""
Coroutines that change threads: each begins on the submitting thread, and goes on in a pool thread or on the loop on
request.

A request for a plain function goes to a thread and back, and never to the loop. Every hand-over between threads costs
as much as the rest of a request.
"""

import asyncio
import contextlib
import contextvars
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor, Future, InvalidStateError
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


class RunOn(Enum):
    THREAD = "a thread of the pool"
    LOOP = "the asyncio loop"


@types.coroutine
def _ask_for(target: RunOn) -> Generator[RunOn, None, None]:
    yield target


def is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def switch_to(target: RunOn) -> None:
    """Go on there. From the loop there is no way back to a thread: await the function that runs in one."""
    if not is_on_loop():
        await _ask_for(target)


class Interruption:
    """
    Ends a coroutine of a ``ThreadSwitcher`` if possible. A coroutine that waits for a thread does not begin, and one on
    the loop is cancelled. One that runs in a thread goes on. The future is done when the coroutine has really ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], Any] | None = None
        self.is_asked = False

    def ask(self) -> None:
        """Ask for the end, from any thread, once or more often."""
        with self._lock:
            self.is_asked, end = True, self._end
        if end:
            end()

    def is_by(self, end: Callable[[], Any]) -> None:
        """Set how the coroutine is ended from now on. If the end was asked for before, end it at once."""
        with self._lock:
            self._end = end
        if self.is_asked:
            end()


class ThreadSwitcher:
    """
    Args:
        threads: runs coroutines that ask for a thread.
        submit_to_loop: runs a coroutine on the loop, in the caller's context variables.
    """

    def __init__(self, threads: Executor, submit_to_loop: "Callable[[Coroutine[Any, Any, Any]], Future[Any]]") -> None:
        self._threads, self._submit_to_loop = threads, submit_to_loop

    def submit(self, coroutine: Coroutine[Any, Any, T], interruption: Interruption | None = None) -> "Future[T]":
        """
        Run a coroutine up to its first ``switch_to`` at once. Before it is on the loop, it may await nothing else.

        Cancelling the future cancels the coroutine. A function that runs in a thread goes on, and its result is
        dropped.
        """
        future: Future[T] = Future()
        interruption = interruption or Interruption()
        if interruption.is_asked:
            coroutine.close()
            future.cancel()
        else:
            self._go_on(coroutine, contextvars.copy_context(), future, interruption, None)
        return future

    def _go_on(
        self,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context,
        future: "Future[T]",
        interruption: Interruption,
        here: RunOn | None,
    ) -> None:
        try:
            while (target := context.run(coroutine.send, None)) is here and here:
                pass
            if not isinstance(target, RunOn):
                raise RuntimeError(f"{coroutine!r} awaits something before it is on the loop")
            if target is RunOn.THREAD:
                # A copy, because the new thread may enter the context before this thread has left it.
                submit = context.copy().run
                onward = submit(self._threads.submit, self._go_on, coroutine, context, future, interruption, target)
                interruption.is_by(onward.cancel)
            else:
                onward = context.run(self._submit_to_loop, _rest(coroutine, interruption))
        except StopIteration as end:
            _end(future, end.value, None)
        except BaseException as error:
            _end(future, None, error)
        else:
            future.add_done_callback(lambda _: onward.cancel())
            onward.add_done_callback(lambda _: _hand_on(onward, future, target))


async def _rest(coroutine: Coroutine[Any, Any, T], interruption: Interruption) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if interruption.is_asked or task is None:
        raise asyncio.CancelledError
    interruption.is_by(lambda: _call_soon(loop, task.cancel))
    return await _resume(coroutine)


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, with everything on it
        loop.call_soon_threadsafe(function)


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, T]) -> Generator[Any, None, T]:
    # ``await`` refuses a coroutine that has begun.
    result: T = yield from coroutine
    return result


def _hand_on(onward: "Future[Any]", future: "Future[Any]", target: RunOn) -> None:
    if onward.cancelled():
        future.cancel()
    elif error := onward.exception():
        _end(future, None, error)
    elif target is RunOn.LOOP:
        _end(future, onward.result(), None)


def _end(future: "Future[Any]", result: Any, error: BaseException | None) -> None:
    with contextlib.suppress(InvalidStateError):  # cancelled meanwhile
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
