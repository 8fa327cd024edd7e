"""
Which of several publish servers sends: the one that holds the term of the webhook, which it renews each second.

Its position and its table are kept in the engine. Another server takes over once it has seen the same term for 10 s,
and goes on from there. The server that was slow stops before: after 5 s without an answer of the engine.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from stork_node.engines.consumers import Consumers, Term
from stork_node.errors import InvalidPosition
from stork_node.nodes.leases import LEASE_S
from stork_node.protocol.positions import Position
from stork_node.push_log import StorageFailed
from stork_node.webhooks.reading import Saved, decode_saved
from stork_node.webhooks.sending import Sender

log = logging.getLogger("stork_node.publish_server")

RENEW_S = 1.0
TRUST_S = 5.0
"""So long after an answer of the engine a server may send; well before another one takes over."""


class SharedPosition:
    """What a webhook has told, on its way into the engine: its thread writes, and the server's loop takes."""

    def __init__(self, told: bytes | None, table: bytes | None) -> None:
        self._loaded = (decode_saved(table) if table else None, _position(told))
        self._lock = threading.Lock()
        self._told: bytes | None = None
        self._table: bytes | None = None

    def load(self) -> tuple[Saved | None, Position | None]:
        """As ``StoredPosition.load``."""
        saved, told = self._loaded
        if saved and (told is None or told.epoch != saved.epoch or told < saved.position):
            told = saved.position
        return saved, told

    def save_told(self, at: Position) -> None:
        """Everything up to here is told."""
        with self._lock:
            self._told = str(at).encode()

    def save_table(self, saved: bytes) -> None:
        """The table of a position that is told."""
        with self._lock:
            self._table = saved

    @property
    def has_news(self) -> bool:
        return self._told is not None or self._table is not None

    def take(self) -> tuple[bytes | None, bytes | None]:
        """What is to be kept now."""
        with self._lock:
            taken, self._told, self._table = (self._told, self._table), None, None
        return taken

    def put_back(self, told: bytes | None, table: bytes | None) -> None:
        """It could not be kept."""
        with self._lock:
            self._told, self._table = self._told or told, self._table or table


@dataclass
class Ended:
    """What the senders have counted that are stopped."""

    failures: int = 0
    resyncs: int = 0


class Holding:
    """
    One webhook of which several servers know. To be used by the thread of the engine.

    Args:
        name: of the consumer, in the engine.
        holder: a name of this server.
        open_sender: makes what sends; its second argument says whether it may send now.
        ended: takes the counts of those that are stopped.

    Attributes:
        sender: sends, as long as this server holds the term.
    """

    def __init__(
        self,
        name: str,
        consumers: Consumers,
        holder: str,
        open_sender: Callable[[SharedPosition, Callable[[], bool]], Sender],
        ended: Ended,
    ) -> None:
        self._name, self._consumers, self._holder, self._open = name, consumers, holder, open_sender
        self._ended = ended
        self.sender: Sender | None = None
        self._shared = SharedPosition(None, None)
        self._seen, self._seen_at = Term(0, "", 0), 0.0
        self._next_look = self._trusted_until = 0.0

    def work(self, now: float, awake: float, is_current: bool, may_hold: bool = True) -> None:
        """
        Renew or take the term, if it is time.

        Args:
            now: seconds of a clock that never goes back.
            awake: the same, without the time in which this process was stopped.
            is_current: whether the engine is known to be the right one.
            may_hold: False where this server cannot send.
        """
        if now < self._next_look and not (self.sender and self._shared.has_news):
            return
        self._next_look = now + RENEW_S
        if not may_hold:
            self.close()
            return
        try:
            if not is_current:
                raise StorageFailed("the engine is away")
            self._look(now, awake)
        except StorageFailed:
            self._seen_at = awake
            if now >= self._trusted_until:
                self._end()

    def close(self, wait_s: float = 0.0) -> None:
        """Stop in twice ``wait_s`` at most, and let another server take over at once."""
        if self.sender is None:
            return
        self._end(wait_s)
        told, table = self._shared.take()
        try:
            self._consumers.renew(self._name, self._holder, None, told, table)
            self._consumers.release(self._name, self._holder)
        except StorageFailed:
            return  # it is taken over after 10 s

    def _look(self, now: float, awake: float) -> None:
        told, table = self._shared.take() if self.sender else (None, None)
        silent = self._seen if awake - self._seen_at >= LEASE_S else None
        try:
            term = self._consumers.renew(self._name, self._holder, silent, told, table)
        except StorageFailed:
            self._shared.put_back(told, table)
            raise
        if term.holder == self._holder:
            self._trusted_until = now + TRUST_S
            if self.sender is None:
                self._begin()
        else:
            self._end()
        if term != self._seen:
            self._seen, self._seen_at = term, awake

    def _begin(self) -> None:
        self._shared = SharedPosition(*self._consumers.load(self._name))
        log.info("this server tells %s", self._name)
        self.sender = self._open(self._shared, lambda: time.monotonic() < self._trusted_until)
        self.sender.start()

    def _end(self, wait_s: float = 0.0) -> None:
        if self.sender:
            log.info("this server does not tell %s any more", self._name)
            self.sender.stop()
            self.sender.join(wait_s)
            self._ended.failures += self.sender.failures
            self._ended.resyncs += self.sender.resyncs
            self.sender = None


def _position(told: bytes | None) -> Position | None:
    try:
        return Position.parse(told.decode()) if told else None
    except (UnicodeDecodeError, InvalidPosition):
        return None
