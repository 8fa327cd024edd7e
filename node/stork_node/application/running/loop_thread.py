"""An asyncio loop in a daemon thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from stork_node.application.running.thread_pools import ThreadPools

T = TypeVar("T")

_CANCEL_S = 1.0
_DEFAULT_THREADS = 8


class LoopThread:
    """
    Runs coroutines from any thread. Neither it nor the loop's default executor (``asyncio.to_thread``, look-ups of host
    names) ever delays the end of the process.

    Attributes:
        executor: the default executor. Each kind of handler has its own threads there, too.
        pings_answered: number of calls of ``ping`` that the loop has handled.
    """

    def __init__(self, name: str) -> None:
        self.name, self.pings_answered = name, 0
        self.executor = ThreadPools(_DEFAULT_THREADS, f"{name}-default")
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """
        Run a coroutine on the loop, in the caller's context variables; cancelling the future cancels it.

        Raises:
            RuntimeError: the loop has not been started, or was stopped.
        """
        with self._lock:
            if self._loop is None:
                coroutine.close()
                raise RuntimeError(f"the loop {self.name} is not running")
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    @property
    def running(self) -> bool:
        return self._loop is not None

    @property
    def thread_id(self) -> int | None:
        return self._thread.ident if self._thread else None

    def start(self) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._loop.set_default_executor(self.executor)
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name=self.name, daemon=True)
                self._thread.start()

    def ping(self) -> None:
        """Ask the loop for a sign of life, from any thread: it raises ``pings_answered`` when it gets to it."""

        def count() -> None:
            self.pings_answered += 1

        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(count)

    def stop(self, timeout_s: float) -> bool:
        """
        Cancel the running coroutines, and end the loop and its thread; to be called from another thread.

        Returns:
            False if it is still busy after ``timeout_s``, because a handler blocks the loop.
        """
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return True
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout_s)
        return not thread.is_alive()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            if tasks := asyncio.all_tasks(loop):
                for task in tasks:
                    task.cancel()
                loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_S))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
