"""Judges by the records of one node what became of a push for a user's sessions."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from stork_node.nodes.binding import gets_topic
from stork_node.why.recent import Kind, Record, Subscription

Live = Mapping[int, Collection[Subscription]]
"""The sessions of a user that are here, with their subscriptions."""


class Finding(Struct, frozen=True, omit_defaults=True):
    """``cause`` is one of ``CAUSES``; ``at`` is in seconds since 1970."""

    cause: str
    session: int = 0
    at: float | None = None
    by: str = ""
    reason: str = ""


CAUSES = (
    "delivered",
    "recovered",
    "excluded",
    "slow",
    "denied",
    "not_subscribed",
    "pending",
    "join_refused",
    "offline",
    "not_pushed",
    "unknown",
)
"""By how much they explain: what comes first is what the user most likely has seen."""


class Judgement(Struct, frozen=True, omit_defaults=True):
    """
    Attributes:
        findings: one for each session that was here when the push was delivered, and for each that recovered it.
        offline: when the last session before that had left or was refused, and why; None: none is known.
    """

    findings: list[Finding] = []
    offline: Finding | None = None


def judge(
    records: Sequence[Record],
    live: Live,
    topic: str,
    sequence: int,
    delivered_at: float | None,
    excluded: Collection[int] = (),
    refused: Sequence[Record] = (),
) -> Judgement:
    """
    Args:
        records: those of the user's sessions, in order.
        sequence: of the push, or one more than the last: what would become of a push now.
        delivered_at: when it was delivered here; None if that is not known.
        excluded: sessions that the push excludes.
        refused: clients that said to be the user, and were not let in.
    """
    findings: list[Finding] = []
    gone = [
        Finding("join_refused", each.session, each.at, each.by, each.reason)
        for each in refused
        if each.sequence < sequence
    ]
    by_session: dict[int, list[Record]] = {session: [] for session in live}
    for record in records:
        by_session.setdefault(record.session, []).append(record)
    for session, own in by_session.items():
        case = _Session(session, own, live.get(session), topic, sequence)
        if recovered := case.recovered():
            findings.append(recovered)
        elif case.left_before:
            gone.append(case.how_it_left())
        elif case.was_here:
            findings.append(case.finding(delivered_at, session in excluded))
    findings.sort(key=lambda finding: CAUSES.index(finding.cause))
    return Judgement(findings, max(gone, key=lambda finding: finding.at or 0.0, default=None))


class _Session:
    def __init__(
        self, session: int, own: Sequence[Record], live: Collection[Subscription] | None, topic: str, sequence: int
    ) -> None:
        self._session, self._own, self._live = session, own, live
        self._topic, self._sequence = topic, sequence
        self._joined = self._last(Kind.JOINED)
        self._left = self._last(Kind.LEFT)
        self._slow = self._last(Kind.SLOW)

    def _last(self, kind: Kind, which: Callable[[Record], bool] = lambda _: True) -> Record | None:
        return next((each for each in reversed(self._own) if each.kind is kind and which(each)), None)

    def _is_before(self, record: Record) -> bool:
        return record.sequence < self._sequence

    def _concerns(self, record: Record) -> bool:
        return gets_topic(record.uri, record.match, self._topic)

    @property
    def left_before(self) -> bool:
        return self._left is not None and self._is_before(self._left)

    @property
    def was_here(self) -> bool:
        """Whether it had joined before the push, and not left."""
        is_known = self._live is not None or self._left is not None
        return is_known and (self._joined is None or self._is_before(self._joined))

    def how_it_left(self) -> Finding:
        left, slow = self._left, self._slow
        if slow is not None:
            return Finding("slow", self._session, slow.at, reason=slow.reason)
        return Finding("offline", self._session, left.at if left else None)

    def recovered(self) -> Finding | None:
        found = self._last(
            Kind.RECOVERED, lambda each: each.start < self._sequence <= each.end and self._concerns(each)
        )
        return Finding("recovered", self._session, found.at) if found else None

    def finding(self, delivered_at: float | None, is_excluded: bool) -> Finding:
        if self._was_subscribed():
            if is_excluded:
                return Finding("excluded", self._session, delivered_at)
            slow = self._slow
            if slow is not None and (delivered_at is None or delivered_at >= slow.since):
                return Finding("slow", self._session, slow.at, reason=slow.reason)
            return Finding("delivered", self._session, delivered_at)
        denied = self._last(Kind.DENIED, lambda each: self._is_before(each) and self._concerns(each))
        ended = self._last(Kind.UNSUBSCRIBED, lambda each: self._is_before(each) and self._concerns(each))
        if denied is not None and (ended is None or ended.at <= denied.at):
            return Finding("denied", self._session, denied.at, denied.by, denied.reason)
        return Finding("not_subscribed", self._session, ended.at if ended else None)

    def _was_subscribed(self) -> bool:
        held = self._live if self._live is not None else self._left.held if self._left else ()
        changes: dict[Subscription, list[Record]] = {}
        for record in self._own:
            if record.kind in (Kind.SUBSCRIBED, Kind.UNSUBSCRIBED) and self._concerns(record):
                changes.setdefault((record.uri, record.match), []).append(record)
        for uri, match in held:
            if gets_topic(uri, match, self._topic):
                changes.setdefault((uri, match), [])
        return any(self._was_held(subscription in held, records) for subscription, records in changes.items())

    def _was_held(self, is_held: bool, records: Sequence[Record]) -> bool:
        """Whether one subscription was there at the push; ``is_held``: whether it is now, or was at the end."""
        before = [each for each in records if self._is_before(each)]
        if before:
            return before[-1].kind is Kind.SUBSCRIBED
        # What happened first afterwards says what was before.
        return records[0].kind is Kind.UNSUBSCRIBED if records else is_held
