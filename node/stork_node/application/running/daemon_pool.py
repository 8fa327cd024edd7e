"""
Threads that never delay the end of the process, and that users share.

Python joins the threads of ``concurrent.futures.ThreadPoolExecutor`` at its exit, so one hung handler would keep a node
from stopping. These threads are daemons.
"""

import threading
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from stork_node.application.running.fair_queue import FairQueue
from stork_node.application.running.handler_context import NO_CONTEXT, HandlerContext, NotBegun

P = ParamSpec("P")
T = TypeVar("T")


class ThreadJob:
    """A function that waits for a thread, or runs in one."""

    __slots__ = ("_run", "context", "future", "thread_id")

    def __init__(self, context: HandlerContext, future: "Future[Any]", run: Callable[[], Any]) -> None:
        self.context, self.future, self._run = context, future, run
        self.thread_id: int | None = None

    @property
    def user(self) -> Hashable:
        return self.context.user

    @property
    def session(self) -> Hashable:
        return self.context.session

    def run(self) -> None:
        self.thread_id = threading.get_ident()
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.context.check()
            result = self._run()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def refuse(self, reason: str) -> None:
        """Fail the job, which was taken out of the queue: its caller gets ``NotBegun``."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(NotBegun(reason))


class DaemonPool(ThreadPoolExecutor):
    """
    An executor of at most ``threads`` daemon threads, each started when it is first needed.

    It is a ``ThreadPoolExecutor`` in name only, because asyncio takes nothing else as a loop's default executor. That
    class never starts a thread here.

    Args:
        threads: maximum of threads.
        name: prefix of the threads' names.
        share: maximum of threads for one user; None: all.
    """

    def __init__(self, threads: int, name: str, share: int | None = None) -> None:
        super().__init__(threads)
        self.limit, self.name, self.share = threads, name, min(share or threads, threads)
        self._jobs: FairQueue[ThreadJob] = FairQueue(self.share)
        self._running: dict[ThreadJob, None] = {}
        # One item wakes one thread: True to work, False to end.
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = self._idle = 0
        self._is_waking = self._stopped = False

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """
        Run ``function`` in a free thread. A future that is cancelled before then never runs.

        Raises:
            RuntimeError: the pool is shut down.
        """
        return self.submit_for(NO_CONTEXT, function, *args, **kwargs)

    def submit_for(
        self, context: HandlerContext, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """
        As ``submit``, but fairly between users, and not after the context's ``begin_by``.

        The future fails with ``NotBegun`` after that time, and when the context's session leaves (``drop``).
        """
        future: Future[T] = Future()
        job = ThreadJob(context, future, lambda: function(*args, **kwargs))
        with self._lock:
            if self._stopped:
                raise RuntimeError("the pool is shut down")
            self._jobs.put(job)
            self._wake_one()
        future.add_done_callback(lambda done: self._forget(job) if done.cancelled() else None)
        return future

    def _forget(self, job: ThreadJob) -> None:
        with self._lock:
            self._jobs.remove(job)

    def _wake_one(self) -> None:
        """
        Wake one more thread for the waiting jobs, unless one is waking: each wakes the next.

        Only one thread of Python runs at a time. If each job woke one, they would queue up, and find no job left.
        """
        if self._is_waking or not self._jobs.has_next:
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

    def _work(self) -> None:
        has_come = False
        while True:
            with self._lock:
                if not has_come:
                    has_come, self._is_waking = True, False
                job = self._jobs.take()
                if job:
                    self._running[job] = None
                    self._wake_one()
                elif self._stopped:
                    return
                else:
                    self._idle += 1
            if job:
                job.run()
                with self._lock:
                    del self._running[job]
                    self._jobs.end(job.user)
                job = None  # frees its arguments after the call
            else:
                if not self._wakes.get():
                    return
                has_come = False

    # -- what waits and what runs --------------------------------------------------------------------------------------

    def drop(self, session: Hashable) -> None:
        """``session`` is gone: do not begin its waiting jobs."""
        with self._lock:
            jobs = [job for job in self._jobs.of_session(session) if self._jobs.remove(job)]
        for job in jobs:
            job.refuse("whoever asked has left")

    def drop_late(self, now: float) -> None:
        """Do not begin jobs that have waited for too long. ``now`` is by ``time.monotonic``."""
        with self._lock:
            late = self._jobs.find(lambda job: job.context.begin_by is not None and now > job.context.begin_by)
            jobs = [job for job in late if self._jobs.remove(job)]
        for job in jobs:
            job.refuse("it waited for longer than its time")

    def running(self) -> list[ThreadJob]:
        """The jobs that have a thread."""
        with self._lock:
            return list(self._running)

    def held_by(self, jobs: Collection[ThreadJob]) -> int:
        """
        The number of threads that ``jobs`` hold, if a job waits until one of these ends: all threads, or all threads
        that one user may have. 0 if no job waits, or other jobs may end before.
        """
        with self._lock:
            if not self._jobs or not self._running:
                return 0
            if len(self._running) == self.limit and all(job in jobs for job in self._running):
                return self.limit
            held_up = set(self._jobs.held_up())
            of_others = {job.user for job in self._running if job not in jobs}
            return self.share if held_up - of_others else 0

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Take no more jobs, and let the threads end after their present ones. Never waits."""
        with self._lock:
            self._stopped = True
            for _ in range(self._started):
                self._wakes.put(False)
