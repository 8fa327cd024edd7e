"""Erasing topics that operators name, in steps between the turns of the publish server."""

import logging
from collections import deque
from collections.abc import Iterator

from stork_node.engines.interface import Engine, Failed
from stork_node.protocol.replay import Erasing, encode_erasing, encode_refusal
from stork_node.publish_server.counters import Counters
from stork_node.push_log import DamagedLog, Erasure, StorageFailed

log = logging.getLogger("stork_node.publish_server")

_PROGRESS_S = 1.0


class Erasures:
    """
    One erasure at a time; the others wait.

    ``work`` does a step, and returns what to answer to whom. An erasure gets its number first, so
    that nothing before that number is left when it is done.
    """

    def __init__(self, engine: Engine, counters: Counters) -> None:
        self._engine, self._counters = engine, counters
        self._waiting: deque[tuple[list[bytes], str]] = deque()
        self._steps: Iterator[int] | None = None
        self._pushes, self._progress_at = 0, 0.0

    def __len__(self) -> int:
        """How many are not done."""
        return len(self._waiting)

    def ask(self, envelope: list[bytes], topic: str) -> None:
        """``envelope`` wants ``topic`` erased."""
        self._waiting.append((envelope, topic))

    def work(self, now: float) -> list[tuple[list[bytes], list[bytes]]]:
        """
        Do one step of some 0.1 s.

        Returns:
            Answers, each with its envelope; what was appended is to be published before.
        """
        envelope, topic = self._waiting[0]
        try:
            if self._steps is None:
                self._append(Erasure(topic))
                self._steps, self._pushes, self._progress_at = self._engine.erase(topic), 0, now
            step = next(self._steps, None)
        except (StorageFailed, DamagedLog) as error:
            log.error("%s cannot be erased: %s", topic, error)
            self._end()
            return [(envelope, encode_refusal(str(error)))]
        if step is None:
            log.info("erased %d pushes to %s", self._pushes, topic)
            self._counters.erasures += 1
            done = encode_erasing(Erasing(self._pushes, is_done=True))
            self._end()
            return [(envelope, done)]
        self._pushes += step
        if now < self._progress_at:
            return []
        self._progress_at = now + _PROGRESS_S
        return [(envelope, encode_erasing(Erasing(self._pushes, is_done=False)))]

    def _append(self, erasure: Erasure) -> None:
        appended = self._engine.append([erasure])[0]
        if isinstance(appended, Failed):
            raise StorageFailed(appended.reason)

    def _end(self) -> None:
        self._waiting.popleft()
        self._steps = None
