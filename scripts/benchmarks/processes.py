"""Child processes: started with their output in a file, waited for, measured, stopped."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.errors import MeasurementFailed

_STOP_S = 15.0
_START_S = 60.0


def free_ports(number: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now; all are taken at once, so that they differ."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Child:
    """A server that runs while it is measured; ``name`` is what messages call it."""

    def __init__(
        self, name: str, command: Sequence[str | Path], folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as out:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**_clean_environ(), **(environ or {})},
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait_for_port(self, port: int) -> None:
        """
        Wait until it listens there.

        Raises:
            MeasurementFailed: it has ended, or does not within a minute; with the last line of its output.
        """
        self._wait(lambda: _listens(port), f"port {port}")

    def wait_for_line(self, text: str) -> None:
        """The same for a line of its output."""
        self._wait(lambda: text in self._log.read_text(errors="replace"), f"the line {text!r}")

    def _wait(self, fact: Callable[[], bool], what: str) -> None:
        give_up_at = time.monotonic() + _START_S
        while not fact():
            if self._popen.poll() is not None:
                raise MeasurementFailed(f"{self.name} ended while it started: {self._last_line()}")
            if time.monotonic() > give_up_at:
                raise MeasurementFailed(f"{self.name}: {what} not within {_START_S:g} s: {self._last_line()}")
            time.sleep(0.02)

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def kill(self) -> None:
        """End it with all that it has started, at once."""
        family = descendants(self.pid)
        self._popen.kill()
        for pid in family:
            _kill(pid)
        self._popen.wait()

    def stop(self) -> None:
        """End it, and what it has started, in order if it can."""
        family = descendants(self.pid)
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        for pid in family:
            _kill(pid)


def _clean_environ() -> dict[str, str]:
    """The environment without what configures a deployment on this machine."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("STORK_", "CROSSBAR_"))}


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def descendants(pid: int) -> list[int]:
    """The processes that ``pid`` has started, and theirs."""
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def memory_bytes(pids: Sequence[int]) -> int:
    """Resident memory of these processes and all that they have started."""
    family = {each for pid in pids for each in [pid, *descendants(pid)]}
    return sum(_resident_bytes(pid) for pid in family)


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
