"""
The parent of a node and its publish server. It can be process 1 of a container: it reaps.

All end when the node ends. If the publish server dies, it is started again, with growing pauses.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from stork_node.clock import AwakeTime
from stork_node.launcher.child_process import ChildProcess, adopt_orphans
from stork_node.launcher.readiness import ReadySocket

READY_DEADLINE_S = 180.0
STOP_DEADLINE_S = 30.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
FOREVER = float("inf")
_STABLE_AFTER_S = 60.0
_REAP_DEADLINE_S = 5.0
_LOOK_S = 1.0  # interval for reading the clock, which counts longer gaps as a standstill
_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_WRONG_CONFIGURATION = 2


class Operator(Protocol):
    """The interface to the human operator."""

    def ready(self) -> None:
        """The node is ready; called once."""

    def say(self, line: str) -> None:
        """Report a problem in one line."""


class Supervisor:
    """Runs ``node``, which reports on ``ready_socket`` that it is ready, and ``publish_server``, if there is one."""

    def __init__(
        self,
        node: ChildProcess,
        publish_server: ChildProcess | None,
        ready_socket: ReadySocket,
        operator: Operator,
        stop_deadline_s: float = STOP_DEADLINE_S,
    ) -> None:
        self._node, self._publish_server, self._operator = node, publish_server, operator
        self._ready_socket, self._stop_deadline_s = ready_socket, stop_deadline_s
        self._children = [node, publish_server] if publish_server else [node]
        self._asked = 0
        # A child gets its full time to end, even if this process was stopped meanwhile.
        self._seconds = AwakeTime(time.monotonic)
        self._ready = False
        self._pause_s, self._started_at, self._restart_at = SHORTEST_PAUSE_S, 0.0, FOREVER

    def run(self) -> int:
        """
        Run until the node ends, or SIGTERM, SIGINT or SIGHUP comes. A second signal kills.

        Returns:
            0 when stopped as asked. Otherwise the node's status, or 1 if a signal ended it, it was not ready within
            ``READY_DEADLINE_S`` or did not end within ``stop_deadline_s``; 2 if the publish server refuses its settings
            before the node is ready.
        """
        adopt_orphans()
        with _signals() as self._signals:
            try:
                return self._run()
            finally:
                self._leave_nothing()

    def _run(self) -> int:
        self._started_at = self._seconds()
        give_up_at = self._started_at + READY_DEADLINE_S
        for child in reversed(self._children):
            child.start()
        while self._node.alive and not self._asked:
            now = self._seconds()
            if not self._ready and self._server_refuses_its_settings():
                return self._stop(_WRONG_CONFIGURATION)
            if not self._ready and now > give_up_at:
                self._operator.say(f"the node is not ready after {READY_DEADLINE_S:g} s")
                return self._stop(1)
            self._look_after_publish_server(now)
            look_again_at = min(self._restart_at, FOREVER if self._ready else give_up_at)
            self._wait(None if look_again_at == FOREVER else look_again_at - now)
        if self._asked:
            return self._stop(0)
        return self._node.status if self._node.status >= 0 else 1

    def _server_refuses_its_settings(self) -> bool:
        server = self._publish_server
        return server is not None and not server.alive and server.status == _WRONG_CONFIGURATION

    def _look_after_publish_server(self, now: float) -> None:
        server = self._publish_server
        if server is None or server.alive:
            return
        if self._restart_at == FOREVER:
            if now - self._started_at > _STABLE_AFTER_S:
                self._pause_s = SHORTEST_PAUSE_S
            self._operator.say(f"the publish server ended ({server.ending}); next start in {self._pause_s:g} s")
            self._restart_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        elif now >= self._restart_at:
            self._started_at, self._restart_at = now, FOREVER
            server.start()

    def _stop(self, status: int) -> int:
        """Stop the node first, so that pushes during its drain still go out."""
        self._ready = True  # too late to report it
        deadline, asked_before = self._seconds() + self._stop_deadline_s, self._asked
        for child in self._children:
            child.terminate()
            while child.alive:
                if self._asked > asked_before or self._asked > 1:
                    return status
                if self._seconds() > deadline:
                    self._operator.say(
                        f"the {child.name} did not end within {self._stop_deadline_s:g} s, and was killed"
                    )
                    return status or 1
                self._wait(deadline - self._seconds())
        return status

    def _leave_nothing(self) -> None:
        for child in self._children:
            child.kill_group()
        deadline = self._seconds() + _REAP_DEADLINE_S
        while self._reap() and self._seconds() < deadline:
            self._wait(deadline - self._seconds())

    def _wait(self, timeout_s: float | None) -> None:
        """Sleep until an event or the time-out. Handle signals, ended children, and the node's report."""
        sources: list[socket.socket | ReadySocket] = [self._signals]
        if not self._ready:
            sources.append(self._ready_socket)
        longest_s = _LOOK_S if timeout_s is None else min(_LOOK_S, max(0.0, timeout_s))
        happened = select.select(sources, [], [], longest_s)[0]
        if self._signals in happened:
            self._asked += sum(number in _STOP_SIGNALS for number in self._signals.recv(4096))
        if self._ready_socket in happened and self._ready_socket.read():
            self._ready = True
            self._operator.ready()
        self._reap()

    def _reap(self) -> bool:
        """Reap all children that have ended; returns whether any is left."""
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            for child in self._children:
                if child.pid == pid:
                    child.reaped(wait_status)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket from which each signal can be read as one byte, its number."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    # nohup wants SIGHUP to be ignored.
    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else set()
    numbers = (_STOP_SIGNALS | {signal.SIGCHLD}) - ignored
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup_before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        ours.close()
        theirs.close()
