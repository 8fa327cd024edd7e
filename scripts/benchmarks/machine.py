"""The machine that measures, and its limits."""

import os
import platform
import resource
from pathlib import Path

from benchmarks.errors import BenchError
from benchmarks.results import Machine

# Besides its connections a process has some files open: its program, its log, its sockets to others.
_SPARE_FILES = 500


def raise_open_files() -> int:
    """Allow as many open files as may be; returns the limit of a process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def require_open_files(connections: int, limit: int) -> None:
    """
    Raises:
        BenchError: so many connections need more open files than a process may have.
    """
    if connections + _SPARE_FILES > limit:
        raise BenchError(
            f"{connections:,} connections need {connections + _SPARE_FILES:,} open files in a process, and {limit:,} "
            "are allowed: raise it with ulimit -Hn, or name other cases with --case"
        )


def describe_machine() -> Machine:
    return Machine(
        processor=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        system=f"{_field('/etc/os-release', 'PRETTY_NAME')}, Linux {platform.release()}",
        python=platform.python_version(),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    )


def _field(path: str, name: str) -> str:
    """The value of ``name`` in a file of ``name: value`` or ``NAME="value"`` lines; empty where there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        key, separator, value = line.partition(":" if ":" in line else "=")
        if separator and key.strip() == name:
            return value.strip().strip('"')
    return ""
