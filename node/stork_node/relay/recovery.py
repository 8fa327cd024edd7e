"""Recovery: what a client that was away is told of each topic (docs/delivery.md#recovery)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import msgspec

from stork_node.errors import CallError, InvalidPosition
from stork_node.protocol import uris
from stork_node.protocol.positions import Position
from stork_node.protocol.topics import pattern_matcher
from stork_node.relay.histories import Kept
from stork_node.relay.stream import NodeStream

MAX_TOPICS = 1_000
PAGE_BYTES, MAX_PAGE_BYTES = 64 << 10, 512 << 10
"""Of events in one answer, where the client does not say how many, and at most."""

MAX_PUSH_EVENTS_BYTES = 2 << 20
"""Of one push to many topics of one pattern: beyond it, the pattern is not recovered."""

MAX_EARLIER_SESSIONS = 1_000
AHEAD_S = 3.0
"""How long a client waits that has seen more than this node, or whose node is just beginning."""

_decode_event = msgspec.json.Decoder(dict[str, Any]).decode

Positions = Mapping[str, Position | None]
"""Where a client stands in each topic; None where it has no position, or none that can be read."""


@dataclass(frozen=True)
class RecoverRequest:
    """
    The arguments of ``recover``.

    Args:
        asking: the topics that only ask for a position (null).
        max_bytes: of events in the answer.
        sessions: ids of the client's earlier sessions. What was not for one of them is not for this one.
        patterns: which of the topics are patterns, with their ``match``.
    """

    positions: Positions
    asking: frozenset[str] = frozenset()
    max_bytes: int = PAGE_BYTES
    sessions: frozenset[int] = frozenset()
    patterns: Mapping[str, str] = field(default_factory=dict)


def read_request(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RecoverRequest:
    """
    Read the arguments of ``recover``.

    Raises:
        CallError: ``wamp.error.invalid_argument``.
    """
    unknown = sorted(set(kwargs) - {"max_bytes", "sessions", "patterns"})
    if len(args) != 1 or unknown or not isinstance(args[0], dict):
        raise _invalid('one argument is wanted, {"v1.orders.42": "<position>"}, and max_bytes, sessions or patterns')
    given = args[0]
    if len(given) > MAX_TOPICS:
        raise _invalid(f"{len(given):,} topics, at most {MAX_TOPICS:,} are answered at once")
    if not all(isinstance(topic, str) for topic in given):
        raise _invalid("a topic is a text")
    max_bytes = kwargs.get("max_bytes")
    if max_bytes is None:
        max_bytes = PAGE_BYTES
    if not _is_integer(max_bytes) or max_bytes < 1:
        raise _invalid("max_bytes is a number of bytes")
    sessions = kwargs.get("sessions")
    if sessions is None:
        sessions = []
    if not isinstance(sessions, list) or len(sessions) > MAX_EARLIER_SESSIONS or not all(map(_is_integer, sessions)):
        raise _invalid(f"sessions is a list of at most {MAX_EARLIER_SESSIONS:,} ids of sessions")
    patterns = kwargs.get("patterns")
    if patterns is None:
        patterns = {}
    if not isinstance(patterns, dict) or not all(topic in given for topic in patterns):
        raise _invalid("patterns names those of the topics that are patterns")
    if not all(match in ("prefix", "wildcard") for match in patterns.values()):
        raise _invalid("a pattern is of match prefix or wildcard")
    asking = frozenset(topic for topic, position in given.items() if position is None)
    positions = {topic: _position(text) for topic, text in given.items()}
    return RecoverRequest(positions, asking, min(max_bytes, MAX_PAGE_BYTES), frozenset(sessions), patterns)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _invalid(sentence: str) -> CallError:
    return CallError("wamp.error.invalid_argument", sentence)


def _position(text: Any) -> Position | None:
    try:
        return Position.parse(text) if isinstance(text, str) else None
    except InvalidPosition:
        return None


class Recovery:
    """
    Answers from a node's stream.

    Args:
        receives: whether a session gets the events of a topic now, or is subscribed to a pattern with this ``match``.
    """

    def __init__(self, stream: NodeStream, receives: Callable[[int, str, str | None], bool]) -> None:
        self._stream, self._receives = stream, receives

    def lacks(self, session_id: int, request: RecoverRequest) -> Position | None:
        """Where the node has to come to before it can answer: its own beginning, or the furthest of these positions."""
        here = self._stream.position
        if here is None or not self._stream.is_ready:
            return self._stream.goal
        ahead = [
            at.sequence
            for topic, at in request.positions.items()
            if at is not None
            and at.epoch == here.epoch
            and at.sequence > here.sequence
            and self._receives(session_id, topic, request.patterns.get(topic))
        ]
        return Position(here.epoch, max(ahead)) if ahead else None

    def is_behind(self, since: Position | None) -> Position | None:
        """The position that the node has to reach before it can answer for ``since``; None if it can."""
        here = self._stream.position
        if here is None or not self._stream.is_ready:
            return self._stream.goal
        is_ahead = since is not None and since.epoch == here.epoch and since.sequence > here.sequence
        return since if is_ahead else None

    def not_ready(self) -> CallError:
        """What is answered to one that has waited long enough."""
        self._stream.counters.recoveries["not_ready"] += 1
        return CallError(uris.NOT_READY, "this node has not come so far yet, try again")

    def answer(self, session_id: int, request: RecoverRequest) -> dict[str, Any]:
        """The answer to one session, once the node lacks nothing: by topic, without those that it does not receive."""
        here = self._stream.position
        assert here is not None  # noqa: S101  # or it would lack it
        counts = self._stream.counters.recoveries
        answers: dict[str, Any] = {}
        budget = _Budget(request.max_bytes)
        audience = _Audience(request.sessions | {session_id})
        for topic, position in request.positions.items():
            match = request.patterns.get(topic)
            if not self._receives(session_id, topic, match):
                counts["absent"] += 1
            elif position is None or not self._is_complete(topic, match, position, here):
                counts["asked" if topic in request.asking else "not_recovered"] += 1
                answers[topic] = {"recovered": False, "position": str(here), "events": []}
            else:
                try:
                    if match is None:
                        answers[topic] = self._recover(audience, topic, position, here, budget)
                    else:
                        matches = pattern_matcher(topic, match)
                        answers[topic] = self._recover_pattern(audience, matches, position, here, budget)
                    counts["recovered"] += 1
                except (msgspec.DecodeError, RecursionError, _TooMuch):
                    # The former two: a publish server that does not keep the limits.
                    answers[topic] = {"recovered": False, "position": str(here), "events": []}
                    counts["not_recovered"] += 1
        return answers

    def _is_complete(self, topic: str, match: str | None, position: Position, here: Position) -> bool:
        if position.epoch != here.epoch or position.sequence > here.sequence:
            return False
        histories = self._stream.histories
        if match is None and topic.startswith(uris.PRESENCE):
            floor = max(self._stream.presence_floor(), self._stream.presence_events.floor(topic))
            return floor <= position.sequence
        if match is None:
            return histories.floor(topic) <= position.sequence
        return histories.floor_of(pattern_matcher(topic, match), position.sequence) <= position.sequence

    def _recover(
        self, audience: "_Audience", topic: str, position: Position, here: Position, budget: "_Budget"
    ) -> dict[str, Any]:
        events: list[dict[str, Any]] = []
        reached = str(position)
        is_presence = topic.startswith(uris.PRESENCE)
        histories = self._stream.presence_events if is_presence else self._stream.histories
        for kept in histories.after(topic, position.sequence):
            if audience.lacks(kept):
                continue
            if not budget.takes(len(kept.event)):
                return {"recovered": True, "position": reached, "events": events, "more": True}
            reached = f"{here.epoch}:{kept.sequence}"
            events.append({"position": reached, **_decode_event(kept.event)})
        return {"recovered": True, "position": str(here), "events": events}

    def _recover_pattern(
        self,
        audience: "_Audience",
        matches: Callable[[str], bool],
        position: Position,
        here: Position,
        budget: "_Budget",
    ) -> dict[str, Any]:
        """As ``_recover``; each event names its topic. The events of one push, one for each topic, stay together."""
        events: list[dict[str, Any]] = []
        reached = str(position)
        kept_since = self._stream.histories.after_in(matches, position.sequence)
        for sequence, group in groupby(kept_since, key=lambda named: named[1].sequence):
            push = [(topic, kept) for topic, kept in group if not audience.lacks(kept)]
            if not push:
                continue
            size = sum(len(kept.event) for _, kept in push)
            if size > MAX_PUSH_EVENTS_BYTES:
                raise _TooMuch
            if not budget.takes(size):
                return {"recovered": True, "position": reached, "events": events, "more": True}
            reached = f"{here.epoch}:{sequence}"
            events += [{"topic": topic, "position": reached, **_decode_event(kept.event)} for topic, kept in push]
        return {"recovered": True, "position": str(here), "events": events}


class _TooMuch(Exception):
    """One push to many topics of a pattern is more than one answer may have."""


class _Audience:
    """The ids of one client's sessions. A push that is in many topics is looked at once: it may leave out thousands."""

    def __init__(self, sessions: frozenset[int]) -> None:
        self._sessions = sessions
        self._lacks: dict[int, bool] = {}  # by sequence

    def lacks(self, kept: Kept) -> bool:
        """Whether the push is not for this client."""
        if not kept.exclude:
            return False
        found = self._lacks.get(kept.sequence)
        if found is None:
            found = self._lacks[kept.sequence] = not self._sessions.isdisjoint(kept.exclude)
        return found


class _Budget:
    """The events of one answer: ``max_bytes`` for all topics together, or one event."""

    def __init__(self, max_bytes: int) -> None:
        self._left, self._is_first = max_bytes, True

    def takes(self, size: int) -> bool:
        fits = self._is_first or size <= self._left
        self._is_first = False
        self._left -= size if fits else 0
        return fits
