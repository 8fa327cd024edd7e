"""The thread of one webhook: one batch at a time, again and again until it is answered with 2xx."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from stork_node import clock
from stork_node.errors import InvalidFrame
from stork_node.protocol.bus import PushFrame, StateFrame, decode_frame, stamped_at
from stork_node.protocol.positions import Position
from stork_node.webhooks.forms import Form
from stork_node.webhooks.mailbox import Entries, Mailbox, Start
from stork_node.webhooks.reading import Saved, decode_saved, encode_saved

log = logging.getLogger("stork_node.publish_server")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
SAVE_S = 10.0
"""Time between two writes of the table."""
BATCH_BYTES, MOST_EVENTS = 128 << 10, 500
"""A batch ends at the entry that comes to one of them."""
_TOLD = (b"stork 1 presence ", b"stork 1 absent ", b"stork 1 attached ", b"stork 1 gone ")
_WARN_S = 60.0
_LOOK_S = 1.0
_DOUBT_S = 0.2


class Place(Protocol):
    """Where it is kept what was told: ``stored.StoredPosition``, or ``holding.SharedPosition``."""

    def load(self) -> tuple[Saved | None, Position | None]: ...

    def save_told(self, at: Position) -> None: ...

    def save_table(self, saved: bytes) -> None: ...


class Receiver(Protocol):
    """Who is told: an address (``posting.Poster``), or handlers of the application."""

    def post(self, body: bytes) -> str: ...

    def abort(self) -> None: ...


class Sender:
    """
    Args:
        may_send: whether this server may send now; asked before each request.
        name: what the log calls it.
        receiver: who is told; by default the address of the webhook.
        longest_pause_s: between two attempts.

    Attributes:
        mailbox: what the server's thread hands over.
        failures: attempts that were not answered with 2xx.
        resyncs: how many times it began with a table.
    """

    def __init__(
        self,
        settings: Form,
        stored: Place,
        may_send: Callable[[], bool] = lambda: True,
        *,
        name: str = "",
        receiver: Receiver | None = None,
        longest_pause_s: float = float("inf"),
    ) -> None:
        self._settings, self._stored, self._may_send = settings, stored, may_send
        self._longest_pause_s = longest_pause_s
        self._name = name or f"webhook {settings.known_as}"
        self._poster = receiver or _poster(settings)
        self._reader, self._is_push = settings.reader(), settings.push_filter()
        saved, self._told = stored.load()
        if saved:
            self._reader.load(saved)
        is_new = saved is None and self._told is None
        self.mailbox = Mailbox(saved.position if saved else None, "new" if is_new else "lost")
        self.failures = self.resyncs = 0
        self._at = saved.position if saved else None
        self._saved_at, self._next_save = self._at, 0.0
        self._waiting: tuple[int, float] = (0, 0.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stork-webhook", daemon=True)

    def is_wanted(self, frame: bytes) -> bool:
        """Whether an entry may have something to tell; for the thread of the server."""
        return frame.startswith(_TOLD) or self._is_push(frame)

    @property
    def waiting(self) -> int:
        """Events that are not told yet, and entries that may have some."""
        return self._waiting[0] + self.mailbox.frames

    def oldest_age_s(self) -> float:
        """How long ago the oldest event that is not told came about."""
        count, since = self._waiting
        return max(0.0, clock.wall() - since) if count else 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin to end; what is not told stays for the next start."""
        self._stopping.set()
        self.mailbox.close()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended; a request that takes longer is cut."""
        if not self._thread.ident:
            return
        self._thread.join(timeout_s)
        self._poster.abort()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                item = self.mailbox.take(_LOOK_S)
                if isinstance(item, Start):
                    self._begin(item)
                elif item:
                    self._tell(item)
                if not self._stopping.is_set() and time.monotonic() >= self._next_save:
                    self._save_table()
            if self._at == self._told:
                self._save_table()
        except Exception:
            log.exception("%s: failed, and tells nothing more", self._name)
            self._waiting = max(1, self._waiting[0]), self._waiting[1] or clock.wall()

    def _begin(self, start: Start) -> None:
        saved = decode_saved(start.saved)
        if saved is None:
            raise InvalidFrame("the table of presence cannot be read")
        self._reader.load(saved)
        if start.reason != "new" or len(self._reader.table):
            self.resyncs += 1
            log.info("%s: everybody who is online is told (%s)", self._name, start.reason)
            if not self._resync(saved, start.reason):
                return
        self._at = self._told = saved.position
        self._stored.save_table(start.saved)
        self._stored.save_told(saved.position)
        self._saved_at, self._next_save = saved.position, time.monotonic() + SAVE_S

    def _resync(self, saved: Saved, reason: str) -> bool:
        since = clock.wall()
        self._at = saved.position
        return all(self._deliver([part], since) for part in self._reader.resync(saved.position, reason))

    def _tell(self, entries: Entries) -> None:
        events: list[bytes] = []
        size, since = 0, 0.0
        for raw in entries.frames:
            frame = _decoded(raw)
            if frame is None or (self._at and frame.position.sequence <= self._at.sequence):
                continue
            told_before = self._is_told(frame.position)
            new = self._reader.take(frame)
            self._at = frame.position
            if told_before or not new:
                continue
            if not events:
                since = _came_at(frame)
            events += new
            size += sum(map(len, new))
            if size >= BATCH_BYTES or len(events) >= MOST_EVENTS:
                if not self._deliver(events, since, frame.position):
                    return
                events, size = [], 0
        self._at = entries.position
        if events and not self._deliver(events, since, entries.position):
            return
        if not self._is_told(entries.position):
            self._told = entries.position

    def _is_told(self, at: Position) -> bool:
        return self._told is not None and self._told.epoch == at.epoch and at <= self._told

    def _deliver(self, events: list[bytes], since: float, position: Position | None = None) -> bool:
        """Send a batch until it has arrived, and store its position; False if this ends before."""
        body = self._settings.body(events)
        self._waiting = len(events), since
        failures, warned_at = 0, float("-inf")
        while why := self._post(body):
            if self._stopping.is_set():
                return False
            self.failures += 1
            failures += 1
            if time.monotonic() - warned_at >= _WARN_S:
                warned_at = time.monotonic()
                log.warning("%s %s; tried again, %d events wait", self._name, why, len(events))
            # Not more than the growth needs: 2.0**n overflows for a target that is away for a day.
            pause_s = min(LONGEST_PAUSE_S, self._longest_pause_s, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
            if self._stopping.wait(pause_s * random.uniform(0.75, 1.0)):  # noqa: S311  # no secret
                return False
        if failures:
            log.info("%s: told again, after %d failures", self._name, failures)
        self._waiting = 0, 0.0
        if position:
            self._told = position
            self._stored.save_told(position)
        return True

    def _post(self, body: bytes) -> str:
        while not self._may_send():
            if self._stopping.wait(_DOUBT_S):
                return "may not be sent to"
        return self._poster.post(body)

    def _save_table(self) -> None:
        if self._at is None or self._at != self._told or self._at == self._saved_at:
            return
        began = time.monotonic()
        self._stored.save_table(encode_saved(self._reader.table, self._reader.nodes, self._at))
        # A large table takes a while: it may have a fiftieth of the time.
        self._saved_at, self._next_save = self._at, began + max(SAVE_S, 50 * (time.monotonic() - began))


def _came_at(frame: StateFrame | PushFrame) -> float:
    """When an entry came about, in seconds since 1970; now, if it does not say."""
    if isinstance(frame, PushFrame):
        return stamped_at(frame.event) or clock.wall()
    return float(getattr(frame.content, "at_ms", clock.wall() * 1000)) / 1000


def _decoded(raw: bytes) -> StateFrame | PushFrame | None:
    try:
        frame = decode_frame(raw)
    except InvalidFrame:
        return None
    return frame if isinstance(frame, StateFrame | PushFrame) else None


def _poster(settings: Form) -> Receiver:
    from stork_node.webhooks.posting import Poster  # with it, ssl and an HTTP client: most servers have no webhooks

    return Poster(settings)
