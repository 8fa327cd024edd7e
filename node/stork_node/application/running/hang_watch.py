"""
Watches the threads and the loop on which an application runs, for handlers that hold all of it and never come back.

A thread cannot be ended from outside, and a blocked loop not either: the process must go, and another one come.
"""

import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from stork_node.application.running.daemon_pool import DaemonPool
from stork_node.application.running.loop_thread import LoopThread

_LOOKS = 10


@dataclass
class Stall:
    """
    Counts looks at which nothing had moved. Looks, and not time: a process that was stopped (SIGSTOP, a machine that
    slept) has not hung meanwhile.
    """

    looks: int = 0
    seen: int = field(default=-1)

    def look(self, blocked: bool, done: int) -> bool:
        """Whether that is ``_LOOKS`` times in a row: ``blocked``, and as much ``done`` as the last time."""
        self.looks = self.looks + 1 if blocked and done == self.seen else 0
        self.seen = done
        return self.looks >= _LOOKS


class HangWatch:
    """
    Looks at pools and at a loop from a thread of its own, until ``stop``.

    Args:
        after_s: how long all threads must have been held, or the loop blocked.
        hung: called once, from that thread, with a sentence.
    """

    def __init__(self, pools: list[DaemonPool], loop: LoopThread, after_s: float, hung: Callable[[str], None]) -> None:
        self._pools, self._loop, self._after_s, self._hung = pools, loop, after_s, hung
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._watch, name="stork-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        stalls = [Stall() for _ in self._pools]
        loop_stall = Stall()
        while not self._stopped.wait(self._after_s / _LOOKS):
            for pool, stall in zip(self._pools, stalls, strict=True):
                if stall.look(pool.is_full, pool.done):
                    self._hung(f"all {pool.limit} threads are held for {self._after_s:g} s, {_places(pool.name)}")
                    return
            if loop_stall.look(True, self._loop.beats):
                self._hung(f"the asyncio loop is blocked for {self._after_s:g} s, {_places(self._loop.name)}")
                return
            self._loop.beat()


def _places(name: str) -> str:
    """Where threads of this name are now."""
    frames = sys._current_frames()
    threads = [thread for thread in threading.enumerate() if thread.name.startswith(name)]
    places = {_place(frames[thread.ident]) for thread in threads if thread.ident in frames}
    return "at " + ", ".join(sorted(places)[:3])


def _place(frame: FrameType) -> str:
    """The innermost line of the application's own, or else of whatever it is."""
    stack = traceback.extract_stack(frame)
    own = [line for line in stack if not line.filename.startswith((sys.prefix, sys.base_prefix, "<"))] or stack
    return f"{own[-1].filename}:{own[-1].lineno} in {own[-1].name}"
