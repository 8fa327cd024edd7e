"""A child process that leads its own process group, and ends when its parent is killed (on Linux)."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Adopt the children of a child that dies, so that this process can wait for their end."""
    if _libc:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def lead_group() -> None:
    """
    Put this process in a group of its own, so signals to the parent's group do not reach it. It ends with its parent.
    """
    os.setpgid(0, 0)
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class ChildProcess:
    """
    A child that can be started again after it has ended.

    Attributes:
        pid: None while it does not run.
        status: of its last end: the exit status, or minus the signal that ended it.
    """

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name, self._command, self._environ = name, list(command), dict(environ)
        self.pid: int | None = None
        self.status = 0
        self._group: int | None = None

    @property
    def alive(self) -> bool:
        return self.pid is not None

    @property
    def ending(self) -> str:
        """Its end, in a word or two."""
        return f"status {self.status}" if self.status >= 0 else signal.Signals(-self.status).name

    def start(self) -> None:
        parent = os.getpid()

        def end_with_parent() -> None:
            if _libc:
                _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != parent:
                    os._exit(1)

        process = subprocess.Popen(  # noqa: S603  # our own commands
            self._command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the parent alone, which stops its children in order
            preexec_fn=end_with_parent,
        )
        process.returncode = 0  # the parent reaps it, as process 1 reaps all; subprocess must not
        self.pid = self._group = process.pid

    def reaped(self, wait_status: int) -> None:
        """Record its end, from ``os.waitpid``."""
        self.pid, self.status = None, os.waitstatus_to_exitcode(wait_status)

    def terminate(self) -> None:
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)

    def kill_group(self) -> None:
        """Kill it, and the processes that it started and left behind."""
        if self._group is not None:
            try:
                os.killpg(self._group, signal.SIGKILL)
            except ProcessLookupError:
                return
