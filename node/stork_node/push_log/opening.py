"""Opening the folder of a log: lock it, check what is there, cut what is torn, and decide about the epoch."""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from stork_node.push_log.epochs import Machine, origin_after, why_new_epoch
from stork_node.push_log.errors import UnusableFolder
from stork_node.push_log.files import sync_folder
from stork_node.push_log.lock import Lock
from stork_node.push_log.segment_files.chain import Chain
from stork_node.push_log.segment_files.headers import Sync
from stork_node.push_log.segment_files.recovery import check_all, survey
from stork_node.push_log.segment_files.segments import Segment

log = logging.getLogger("stork_node.push_log")


@dataclass(frozen=True, slots=True)
class Opened:
    """A log that is held, and ready to be written; ``continues``: with numbers of an epoch that there was before."""

    lock: Lock
    chain: Chain
    continues: bool


def open_folder(folder: Path, machine: Machine, sync: Sync, segment_bytes: int, now_ms: int) -> Opened:
    """
    Take the log in ``folder``, which is made if it is not there.

    Raises:
        LogInUse: another process has it.
        DamagedLog: damage that a crash does not explain.
        UnusableFolder: the system refuses something.
    """
    try:
        _make(folder)
        lock = Lock(folder, now_ms / 1000)
    except OSError as error:
        raise UnusableFolder(folder, error.strerror or str(error)) from None
    try:
        chain, continues = _open_chain(folder, machine, sync, segment_bytes, now_ms)
        return Opened(lock, chain, continues)
    except OSError as error:
        lock.close()
        raise UnusableFolder(folder, error.strerror or str(error)) from None
    except BaseException:
        lock.close()
        raise


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        sync_folder(folder.parent)


def _open_chain(folder: Path, machine: Machine, sync: Sync, segment_bytes: int, now_ms: int) -> tuple[Chain, bool]:
    began = time.monotonic()
    for leftover in folder.glob("*.tmp"):
        leftover.unlink()
    segments = survey(folder)
    is_continued = _recover(segments, machine)
    origin = origin_after(segments[-1].header.origin if segments else None, is_continued, machine, sync)
    chain = Chain(folder, segments, origin, segment_bytes)
    try:
        if chain.writer and sync != "never":
            chain.writer.sync()
        if not is_continued:
            _begin(chain, now_ms)
    except BaseException:
        chain.abandon()
        raise
    log.info(
        "log %s: segments: %d, bytes: %s, first push: %d, last position: %s, checked in %.1f s",
        folder,
        len(segments),
        f"{chain.size:,}",
        chain.floor + 1,
        chain.tail,
        time.monotonic() - began,
    )
    return chain, is_continued and chain.tail.sequence > 0


def _recover(segments: list[Segment], machine: Machine) -> bool:
    """Check the segments; returns whether the newest one's epoch goes on."""
    cut = check_all(segments, machine)
    if not segments:
        return False
    newest = segments[-1]
    if cut:
        log.warning(
            "cutting %s bytes after push %d from the end of %s: %s",
            f"{cut.size:,}",
            newest.last,
            newest.path,
            cut.reason,
        )
        os.truncate(newest.path, newest.size)
    closed = newest.seal is not None and newest.seal.closed
    why = why_new_epoch(newest.header.origin, closed, cut is not None and cut.answered, machine)
    if why:
        log.warning("the log begins a new epoch after %s:%d: %s", newest.header.origin.epoch, newest.last, why)
    return why == ""


def _begin(chain: Chain, now_ms: int) -> None:
    try:
        chain.roll(now_ms)
    except OSError as error:  # a full disk: it is tried again when there is something to store
        log.warning("the epoch %s is not on disk yet: %s", chain.origin.epoch, error.strerror)
