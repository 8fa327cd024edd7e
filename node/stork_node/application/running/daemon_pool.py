"""
Threads that never hold up the end of the process.

The threads of ``concurrent.futures.ThreadPoolExecutor`` are joined when the interpreter exits, so that one handler that
hangs would keep a node from stopping; these are daemons.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonPool(ThreadPoolExecutor):
    """
    An executor of at most ``threads`` daemon threads, each started when it is first needed.

    It is a ``ThreadPoolExecutor`` in name, since asyncio takes nothing else as a loop's default executor; none of that
    class's threads is ever started.

    Attributes:
        done: how many jobs have ended.
    """

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(threads)
        self.limit, self.name, self.done = threads, name, 0
        self._jobs: deque[Callable[[], None]] = deque()
        # One item wakes one thread, for True to work and for False to end.
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = self._idle = 0
        self._is_waking = self._stopped = False

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """
        Run ``function`` in a thread as soon as one is free. A future that is cancelled before then never runs.

        Raises:
            RuntimeError: the pool is shut down.
        """
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._stopped:
                raise RuntimeError("the pool is shut down")
            self._jobs.append(job)
            self._wake_one()
        return future

    def _wake_one(self) -> None:
        """
        Have one more thread come for the jobs that wait, unless one is on its way: it wakes the next when it has come.

        Threads of Python run by turns. If each job woke one, they would queue up to find that the first has done all.
        """
        if self._is_waking or not self._jobs:
            return
        if self._idle:
            self._idle -= 1
            self._wakes.put(True)
        elif self._started < self.limit:
            self._started += 1
            threading.Thread(target=self._work, name=f"{self.name}-{self._started}", daemon=True).start()
        else:
            return
        self._is_waking = True

    @property
    def is_full(self) -> bool:
        """Whether a job waits because every thread has one."""
        with self._lock:
            return self._started == self.limit and not self._idle and not self._is_waking and bool(self._jobs)

    def _work(self) -> None:
        has_come = False
        while True:
            with self._lock:
                if not has_come:
                    has_come, self._is_waking = True, False
                job = self._jobs.popleft() if self._jobs else None
                if job:
                    self._wake_one()
                elif self._stopped:
                    return
                else:
                    self._idle += 1
            if job:
                job()
                job = None  # its arguments live no longer than the call
                with self._lock:
                    self.done += 1
            else:
                if not self._wakes.get():
                    return
                has_come = False

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Take no more jobs, and let the threads end after those they have. Never waits."""
        with self._lock:
            self._stopped = True
            for _ in range(self._started):
                self._wakes.put(False)
