"""
Watches the threads and the loop of an application for handlers that never return.

Nothing can end a thread from outside, or unblock a loop. So the process must end, and another one start.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from types import FrameType

from stork_node.application.running.daemon_pool import DaemonPool, ThreadJob
from stork_node.application.running.loop_thread import LoopThread
from stork_node.clock import SuspendAwareClock

_LOOKS = 10
_LONGEST_PAUSE_S = 1.0


class HangWatch:
    """
    Watches pools and a loop from a thread of its own, until ``stop``. It also drops jobs that have waited for too long.

    A handler counts as hung after its maximum time. The process is given up if hung handlers hold all threads that a
    waiting job needs; a pool that is only full is not given up. A single hung handler is logged.

    Args:
        after_s: maximum time of a handler in a thread that has none of its own; 0: no maximum.
        loop_after_s: maximum time that the loop may be blocked; 0: no maximum.
        hung: called once, on that thread, with a sentence.
        late: called with a sentence for each handler above its maximum.
    """

    def __init__(
        self,
        pools: list[DaemonPool],
        loop: LoopThread,
        after_s: float,
        loop_after_s: float,
        hung: Callable[[str], None],
        late: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._pools, self._loop, self._hung, self._late = pools, loop, hung, late
        self._after_s, self._loop_after_s = after_s, loop_after_s
        limits = [limit for limit in (after_s, loop_after_s) if limit]
        self._pause_s = min([_LONGEST_PAUSE_S, *(limit / _LOOKS for limit in limits)])
        self._time = SuspendAwareClock(2 * self._pause_s, time.monotonic())
        self._begun: dict[ThreadJob, float] = {}
        self._overdue: set[ThreadJob] = set()
        self._pings_answered, self._answered_at = -1, 0.0
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="stork-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._pause_s):
            now = time.monotonic()
            awake_s = self._time.advance(now)
            for pool in self._pools:
                pool.drop_late(now)
            sentence = self._look_at_threads(awake_s) or self._look_at_loop(awake_s)
            if sentence:
                self._hung(sentence)
                return

    def _look_at_threads(self, awake_s: float) -> str:
        running = [job for pool in self._pools for job in pool.running()]
        self._begun = {job: self._begun.get(job, awake_s) for job in running}
        overdue = {job for job, begun in self._begun.items() if awake_s - begun >= self._may_take_s(job)}
        for job in overdue - self._overdue:
            self._late(f"a handler takes longer than {self._may_take_s(job):g} s, {_places([job.thread_id])}")
        self._overdue = overdue
        for pool in self._pools:
            if overdue and (held := pool.held_by(overdue)):
                whose = f"all {held} threads" + ("" if held == pool.limit else " that one user may have")
                threads = [job.thread_id for job in pool.running() if job in overdue]
                return f"{whose} are held for {self._after_s:g} s, {_places(threads)}"
        return ""

    def _may_take_s(self, job: ThreadJob) -> float:
        own = job.context.may_take_s
        return (self._after_s if own is None else own) or float("inf")

    def _look_at_loop(self, awake_s: float) -> str:
        if self._loop.pings_answered != self._pings_answered:
            self._pings_answered, self._answered_at = self._loop.pings_answered, awake_s
        elif self._loop_after_s and awake_s - self._answered_at >= self._loop_after_s:
            return f"the asyncio loop is blocked for {self._loop_after_s:g} s, {_places([self._loop.thread_id])}"
        self._loop.ping()
        return ""


def _places(threads: Iterable[int | None]) -> str:
    """The current places in the code of these threads."""
    frames = sys._current_frames()
    places = {_place(frames[thread]) for thread in threads if thread in frames}
    return "at " + ", ".join(sorted(places)[:3])


def _place(frame: FrameType) -> str:
    """The innermost line of the application's code, or of other code if there is none."""
    stack = traceback.extract_stack(frame)
    own = [line for line in stack if not line.filename.startswith((sys.prefix, sys.base_prefix, "<"))] or stack
    return f"{own[-1].filename}:{own[-1].lineno} in {own[-1].name}"
