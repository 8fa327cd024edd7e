"""Epochs: whether a log that is opened again may go on with the numbers it had (docs/delivery.md#position)."""

from pathlib import Path

from msgspec import Struct

from stork_node.push_log.segment_files.headers import Origin

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")


class Machine(Struct, frozen=True):
    """One boot of one machine; each of the two ids is empty where there is none."""

    boot: str
    id: str


def this_machine() -> Machine:
    """The machine that this process runs on, and its boot."""
    return Machine(_read(_BOOT), _read(_MACHINE))


def wrote_here(origin: Origin, machine: Machine) -> bool:
    """Whether a segment was written under this boot of this machine: no write that returned can be lost."""
    return machine.boot != "" and (origin.boot, origin.machine) == (machine.boot, machine.id)


def why_new_epoch(origin: Origin, closed: bool, cut_answered: bool, machine: Machine) -> str:
    """
    Why a log cannot keep its epoch; empty where it does.

    Args:
        origin: of the newest segment.
        closed: whether the log was closed with it.
        cut_answered: whether something was cut from its end that may have been answered.
    """
    if closed:
        return ""
    if wrote_here(origin, machine):
        return "pushes that may have been answered are damaged" if cut_answered else ""
    if origin.sync == "always":
        return ""
    return (
        f"it was not closed cleanly on this boot of this machine (--sync {origin.sync}), "
        "so its last pushes may be missing; clients must load their state again"
    )


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
