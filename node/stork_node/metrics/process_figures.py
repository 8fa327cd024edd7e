"""Figures of processes from the operating system: memory, processor time, open files (proc(5))."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stork_node.metrics.figures import counter_by, gauge_by

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass
class ProcessFigures:
    """Figures of all processes of a node, by role: ``router``, ``app``, ``controller``."""

    resident_memory_bytes: dict[str, float] = gauge_by("process", "Memory of the process that is in RAM.")
    cpu_seconds: dict[str, float] = counter_by("process", "Processor time that the process has used, user and system.")
    open_fds: dict[str, float] = gauge_by("process", "Open file descriptors of the process.")
    max_fds: dict[str, float] = gauge_by("process", "Maximum of file descriptors that the process may open.")
    threads: dict[str, float] = gauge_by("process", "Threads of the process.")
    start_time_seconds: dict[str, float] = gauge_by("process", "Start of the process, in seconds since 1970.")


def read_processes(processes: Mapping[str, int]) -> ProcessFigures:
    """
    The figures of these processes, by name. A process that has ended, or is not on Linux, is left out.

    Args:
        processes: name → process id.
    """
    figures = ProcessFigures()
    for name, pid in processes.items():
        try:
            folder = _PROC / str(pid)
            # The program's name, in parentheses, may have any characters.
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            open_fds = len(os.listdir(folder / "fd"))
            max_fds = _max_fds((folder / "limits").read_text())
            booted_at = _booted_at()
        except (OSError, ValueError):
            continue
        figures.cpu_seconds[name] = (int(stat[11]) + int(stat[12])) / _TICKS
        figures.threads[name] = int(stat[17])
        figures.start_time_seconds[name] = booted_at + int(stat[19]) / _TICKS
        figures.resident_memory_bytes[name] = int(stat[21]) * _PAGE_BYTES
        figures.open_fds[name] = open_fds
        figures.max_fds[name] = max_fds
    return figures


def _max_fds(limits: str) -> float:
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft = line.split()[3]
    return float("inf") if soft == "unlimited" else float(soft)


@cache
def _booted_at() -> float:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    raise ValueError("/proc/stat has no btime")
