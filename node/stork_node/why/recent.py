"""
What the sessions of a node did in the last minutes, in bounded memory.

Deliveries are not recorded. A record has the number of the last push that the node had delivered before it. So whether
a session was subscribed when a push was delivered follows from the records, exactly.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum

from msgspec import Struct

from stork_node import clock

MAX_BYTES = 8 << 20
MAX_AGE_S = 900.0
_TIME_EVERY_S = 0.1
_TIMES = int(MAX_AGE_S / _TIME_EVERY_S)
MOST_REFUSED = 1_000
"""Joins that were refused. They have their own place: a stranger may have as many refused as it likes."""
_MOST_CHARACTERS = 255
# What Python needs (64-bit CPython 3.11; a test compares the sum with tracemalloc).
_RECORD_BYTES = 300
_HELD_BYTES = 80

Subscription = tuple[str, str]
"""A topic or pattern, and its match."""


class Kind(StrEnum):
    JOINED = "joined"
    LEFT = "left"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    DENIED = "denied"
    SLOW = "slow"
    RECOVERED = "recovered"
    REFUSED = "refused"


_BOUNDS = frozenset({Kind.JOINED, Kind.LEFT})


class Record(Struct, gc=False):
    """
    Attributes:
        at: seconds since 1970.
        sequence: the number of the last push that was delivered before.
        uri, match: of a subscription.
        by, reason: who denied or refused, and why; why a session was cut.
        start, end: for ``RECOVERED``: the pushes after ``start`` up to ``end``.
        since: for ``SLOW``: since when bytes had been waiting.
        held: for ``LEFT``: the subscriptions at that time.
    """

    at: float
    sequence: int
    kind: Kind
    session: int
    authid: str = ""
    uri: str = ""
    match: str = "exact"
    by: str = ""
    reason: str = ""
    start: int = 0
    end: int = 0
    since: float = 0.0
    held: tuple[Subscription, ...] = ()

    @property
    def size(self) -> int:
        return _RECORD_BYTES + len(self.uri) + len(self.reason) + _HELD_BYTES * len(self.held)


class RecentEvents:
    """
    Attributes:
        is_kept: whether the router reports its sessions here; otherwise nothing is known.
        epoch: of the pushes that are delivered.
        sequence: of the last one.
        known_from: what sessions did is known for the pushes after this number.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, wall: Callable[[], float] = clock.wall) -> None:
        self._max_bytes, self._wall = max_bytes, wall
        self._records: deque[Record] = deque()
        self._refused: deque[Record] = deque(maxlen=MOST_REFUSED)
        self.bytes = 0
        self.is_kept = False
        self.epoch, self.sequence, self.known_from = "", 0, 0
        self._ends: deque[int] = deque(maxlen=_TIMES)
        self._times: deque[float] = deque(maxlen=_TIMES)
        self._timed_from = 0

    def __len__(self) -> int:
        return len(self._records)

    def delivered(self, epoch: str, first: int, last: int) -> None:
        """The pushes from ``first`` to ``last`` were delivered."""
        now = self._wall()
        if epoch != self.epoch:
            self.begin(epoch, first - 1)
        self.sequence = last
        if self._times and 0 <= now - self._times[-1] < _TIME_EVERY_S:
            self._ends[-1] = last
        else:
            if len(self._ends) == _TIMES:
                self._timed_from = self._ends[0]
            self._ends.append(last)
            self._times.append(now)

    def begin(self, epoch: str, base: int) -> None:
        """The pushes of another epoch follow, after the number ``base``."""
        self.epoch, self.sequence, self.known_from, self._timed_from = epoch, base, base, base
        self._ends.clear()
        self._times.clear()
        for record in (*self._records, *self._refused):  # they come before all that is numbered now
            record.sequence = record.start = record.end = -1

    def note(
        self,
        kind: Kind,
        session: int,
        authid: str = "",
        subscription: Subscription = ("", "exact"),
        *,
        by: str = "",
        reason: str = "",
        start: int = 0,
        end: int = 0,
        since: float = 0.0,
        held: Iterable[Subscription] = (),
    ) -> None:
        """Remember this, and forget what is too old or too much."""
        now = self._wall()
        uri, match = subscription
        record = Record(
            now, self.sequence, kind, session, authid, uri, match, by, reason, start, end, since, tuple(held)
        )
        self._records.append(record)
        self.bytes += record.size
        while self._records and (self.bytes > self._max_bytes or now - self._records[0].at > MAX_AGE_S):
            gone = self._records.popleft()
            self.bytes -= gone.size
            # Whether a push from before found the session as it is now is not known any more.
            self.known_from = max(self.known_from, gone.sequence)

    def note_refused_join(self, authid: str, session: int, by: str, reason: str) -> None:
        """
        Remember that a client was not let in.

        Args:
            authid: the user that it said to be, which nothing has proven; empty for none.
        """
        if authid:
            user, why = authid[:_MOST_CHARACTERS], reason[:_MOST_CHARACTERS]
            self._refused.append(Record(self._wall(), self.sequence, Kind.REFUSED, session, user, by=by, reason=why))

    def of(self, authid: str, sessions: Collection[int]) -> list[Record]:
        """
        The records of a user's sessions, in order; ``sessions``: those that are here.

        A Pusher client may be several users. When it began or ended to be another one, is not told.
        """
        ids = {*sessions, *(each.session for each in self._records if each.authid == authid)}
        return [
            each
            for each in self._records
            if each.session in ids and (each.kind not in _BOUNDS or each.authid == authid)
        ]

    def refused_joins(self, authid: str) -> list[Record]:
        """The clients that said to be this user, and were not let in, in order."""
        oldest = self._wall() - MAX_AGE_S
        return [each for each in self._refused if each.authid == authid[:_MOST_CHARACTERS] and each.at >= oldest]

    def delivered_at(self, sequence: int) -> float | None:
        """When a push was delivered, to a tenth of a second; None: it was not yet, or too long ago."""
        index = bisect_left(self._ends, sequence)
        if index == len(self._ends) or sequence <= self._timed_from:
            return None
        return self._times[index]
