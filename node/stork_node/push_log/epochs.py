"""Epochs: whether a log that is opened again may go on with the numbers it had (docs/delivery.md#position)."""

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from stork_node.protocol.positions import new_epoch
from stork_node.push_log.proofs import new_key
from stork_node.push_log.segment_files.headers import Origin, Sync

MOST_FORMER = 64
"""How many epochs a log remembers that it had before; their names go into each segment's first line."""

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


def origin_after(newest: Origin | None, is_continued: bool, machine: Machine, sync: Sync) -> Origin:
    """
    Of what is written from now on.

    Args:
        newest: of the newest segment; None for a new log.
        is_continued: whether its epoch goes on.
    """
    if newest is None:
        return Origin(new_epoch(), machine.boot, machine.id, sync, new_key())
    origin = Origin(newest.epoch, machine.boot, machine.id, sync, newest.key or new_key(), newest.former)
    return origin if is_continued else with_new_epoch(origin)


def with_new_epoch(origin: Origin) -> Origin:
    """
    The same, in an epoch that follows.

    A log that knew too many epochs gets a new key: a proof of one that is forgotten would look like one that a copy of
    the log began later.
    """
    former = (*origin.former, origin.epoch)
    if len(former) > MOST_FORMER:
        return replace(origin, epoch=new_epoch(), key=new_key(), former=())
    return replace(origin, epoch=new_epoch(), former=former)


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
