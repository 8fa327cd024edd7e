"""What a node answers to ``why``: what became of a push for the sessions of a user here."""

from collections.abc import Mapping
from typing import Any

import msgspec

from stork_components.broadcaster import Broadcaster
from stork_components.questions.deployment import Deployment
from stork_crossbar.internals.broadcasting import session_id
from stork_node.errors import InvalidPosition
from stork_node.protocol.positions import Position
from stork_node.relay.recovery import RecoverRequest
from stork_node.relay.stream import NodeStream
from stork_node.why.judging import judge
from stork_node.why.merging import Report, WhyQuestion
from stork_node.why.recent import Kind, RecentEvents

_MOST_FINDINGS = 100


class WhyAnswers:
    """Judges by the records of this node, its sessions, and its histories."""

    def __init__(self, recent: RecentEvents, broadcaster: Broadcaster, stream: NodeStream) -> None:
        self._recent, self._broadcaster, self._stream = recent, broadcaster, stream

    def answer_in(self, deployment: Deployment) -> None:
        """Have this node answer."""
        deployment.answer("why", self.report)

    def report(self, params: Any) -> Report:
        """The answer to a ``WhyQuestion``."""
        asked = msgspec.convert(params, WhyQuestion)
        recent, here = self._recent, self._stream.position
        if not recent.is_kept or self._broadcaster.is_blind or here is None:
            return Report(is_known=False)
        if asked.position is None:
            sequence = recent.sequence + 1
        else:
            position = Position.parse(asked.position)
            if position.epoch != recent.epoch:
                return Report(is_known=False)
            sequence = position.sequence
            if sequence > here.sequence:
                return Report(is_pending=True)
        kept = self._stream.histories.after(asked.topic, sequence - 1)
        push = kept[0] if kept and kept[0].sequence == sequence else None
        is_complete = self._stream.histories.floor(asked.topic) < sequence
        sessions = self._broadcaster.visitors(asked.authid)
        live = {
            id: [(each.uri, each.match) for each in self._broadcaster.subscriptions_of(session)]
            for session in sessions
            if (id := session_id(session))
        }
        at = recent.delivered_at(sequence) if asked.position is not None else None
        records = recent.of(asked.authid, live)
        refused = recent.refused_joins(asked.authid)
        found = judge(records, live, asked.topic, sequence, at, push.exclude if push else (), refused)
        return Report(
            is_known=sequence > recent.known_from,
            is_pushed=None if asked.position is None or not (push or is_complete) else push is not None,
            findings=found.findings[:_MOST_FINDINGS],
            offline=found.offline,
        )


def note_recoveries(
    recent: RecentEvents, session: int, request: RecoverRequest, answers: Mapping[str, Mapping[str, Any]]
) -> None:
    """Remember what a session has recovered."""
    for topic, answer in answers.items():
        start = request.positions[topic]
        if start is None or not answer["recovered"]:
            continue
        try:
            end = Position.parse(answer["position"]).sequence
        except InvalidPosition:
            continue
        if end > start.sequence:
            what = topic, request.patterns.get(topic, "exact")
            recent.note(Kind.RECOVERED, session, subscription=what, start=start.sequence, end=end)
