"""The work of a log each second: force to disk, begin segments, delete old ones, and check its lock."""

import errno
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stork_node.push_log import retention
from stork_node.push_log.lock import Lock
from stork_node.push_log.segment_files.chain import Chain
from stork_node.push_log.segment_files.recent_ids import IDS_KEPT_S, forget_ids, keep_ids

log = logging.getLogger("stork_node.push_log")

TICK_S = 1.0

MOVED = "its files were moved or deleted while it was in use; restart the publish server"


class Upkeep:
    """
    Keeps the log in ``folder``. What the system refuses is logged once, and tried again.

    Args:
        retention_s: how long a push can be replayed.
        retention_bytes: how much is kept.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        lock: Lock,
        chain: Chain,
        retention_s: float,
        retention_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._folder, self._lock, self._chain, self._clock = folder, lock, chain, clock
        self._retention_ms, self._retention_bytes = retention_s * 1000, retention_bytes
        self._next = 0.0
        self._refused: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """What the system refuses now; empty when all is well."""
        return "; ".join(f"{what}: {reason}" for what, reason in self._refused.items())

    def due(self, now: float) -> float:
        """Seconds until ``tick`` has something to do."""
        return max(0.0, self._next - now)

    def tick(self, now: float) -> None:
        """Do what has to be done, once a second at most; ``now`` is of a clock that never goes back."""
        if now < self._next:
            return
        self._next = now + TICK_S
        self.attempt("cannot go on", self._check_place)
        if not self.is_moved():
            self.attempt("cannot begin a segment", self._roll_if_over)
            self.attempt("cannot force to disk", self._force)
            self.attempt("cannot delete a segment", self._delete_expired)
            self.attempt("cannot touch the lock", lambda: self._lock.touch(self._clock()))

    def attempt(self, what: str, work: Callable[[], object]) -> None:
        """Do ``work``, unless the system refuses it: ``what`` says how to call that."""
        try:
            work()
        except OSError as error:
            reason = error.strerror or str(error)
            if self._refused.get(what) != reason:
                log.error("log %s: %s: %s", self._folder, what, reason)
            self._refused[what] = reason
        else:
            if self._refused.pop(what, None):
                log.info("log %s: works again after: %s", self._folder, what)

    def is_moved(self) -> bool:
        """Whether others would find other files than those that are written."""
        writer = self._chain.writer
        return not self._lock.is_there() or (writer is not None and not writer.is_there())

    def _check_place(self) -> None:
        if self.is_moved():
            raise OSError(errno.ESTALE, MOVED)

    def _roll_if_over(self) -> None:
        segments, now_ms = self._chain.segments, self._now_ms()
        if segments and retention.is_over(segments[-1], now_ms, self._retention_ms):
            self._chain.roll(now_ms)

    def _force(self) -> None:
        writer = self._chain.writer
        if writer and self._chain.origin.sync == "second" and not writer.is_synced:
            writer.sync_behind()

    def _delete_expired(self) -> None:
        segments, now_ms = self._chain.segments, self._now_ms()
        ids_since_ms = now_ms - int(IDS_KEPT_S * 1000)
        for _ in range(retention.expired(segments, now_ms, self._retention_ms, self._retention_bytes)):
            oldest = segments[0]
            log.debug("deleting %s", oldest.path)
            if oldest.newest_ms >= ids_since_ms and oldest.path.exists():
                # Where that is refused the segment goes all the same: on a full disk there must be room again.
                self.attempt("cannot keep the ids of a segment", partial(keep_ids, oldest, ids_since_ms))
            self._chain.drop_oldest()
        forget_ids(self._folder, ids_since_ms)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
