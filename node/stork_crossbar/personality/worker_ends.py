"""
The end of a worker process is the end of that process, and not that of the programs which it has started.

Twisted tells of an end when the pipes are closed, too. A program that the application has started holds these for as
long as it runs, and the node would not notice that its application is gone.
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
# A pipe holds 64 KiB, of which a look takes 8: what the process has written is read, and not what others go on writing.
_READS = 16


def end_with_process(reactor: Any) -> None:
    """
    Have the end of every worker process noticed at once; what it leaves behind in its process group is ended.

    Raises:
        Incompatible: Crossbar or Twisted follow processes in another way.
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
    """Whether there was such a group. That of an application is its own (``worker_process``)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False
