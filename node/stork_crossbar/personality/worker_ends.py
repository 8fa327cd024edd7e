"""
Notices the end of a worker process at once, even if programs that it started still run.

Twisted reports an end only when the pipes are closed, too. A program that the application has started keeps them open,
so the node would not notice that its application is gone.
"""

import contextlib
import os
import signal
from typing import Any

from crossbar.common.twisted.processutil import WorkerProcessEndpoint, _WorkerWrapIProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.process import Process, ProcessReader
from twisted.python.failure import Failure

from stork_crossbar.compat import require_signature

_GRACE_S = 2.0
# A pipe holds 64 KiB, and one read takes 8. So the process's own output is read, and not the endless output of others.
_READS = 16


def end_with_process(reactor: Any) -> None:
    """
    Notice the end of every worker process at once, and end the rest of its process group.

    Raises:
        Incompatible: Crossbar or Twisted handle processes in another way.
    """
    require_signature(WorkerProcessEndpoint.connect, "self", "protocolFactory")
    require_signature(Process.childConnectionLost, "self", "childFD", "reason")
    require_signature(ProcessReader.connectionLost, "self", "reason")
    require_signature(_WorkerWrapIProtocol.processExited, "self", "reason")
    _WorkerWrapIProtocol.processExited = lambda self, _: _end(reactor, self.transport._process, self._worker.pid)


def _end(reactor: Any, process: Any, pid: int | None) -> None:
    # In the next turn, as Twisted is in the middle of it.
    reactor.callLater(0, _close_pipes, process)
    if pid and _signal_group(pid, signal.SIGTERM):
        reactor.callLater(_GRACE_S, _signal_group, pid, signal.SIGKILL)


def _close_pipes(process: Any) -> None:
    for pipe in list(process.pipes.values()):
        if isinstance(pipe, ProcessReader):
            _read_rest(pipe)
        if pipe in process.pipes.values():
            pipe.connectionLost(Failure(ConnectionDone()))


def _read_rest(pipe: Any) -> None:
    for _ in range(_READS):
        if pipe.doRead() is not None:
            return


def _signal_group(group: int, number: int) -> bool:
    """Send a signal; returns whether the group exists. An application has a group of its own (``worker_process``)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False
