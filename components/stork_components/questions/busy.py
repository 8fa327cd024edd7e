"""What a node answers to ``busy``: its busiest topics, and its slow readers."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from stork_components.broadcaster import Broadcaster
from stork_components.questions.deployment import Deployment
from stork_crossbar.internals import broadcasting
from stork_node.application.values import peer_host
from stork_node.relay.stream import NodeStream

WITHIN_S = 60
MOST = 20


class NodeBusy:
    """Reads the histories, the router, and the connections that have bytes waiting."""

    def __init__(self, component: Any, broadcaster: Broadcaster, stream: NodeStream) -> None:
        self._router, self._broadcaster, self._stream = broadcasting.Router(component), broadcaster, stream

    def answer_in(self, deployment: Deployment) -> None:
        """Have this node answer."""
        deployment.answer("busy", lambda _params: self.report())

    def report(self) -> dict[str, Any]:
        """``{"topics": [{"topic", "pushes", "sessions"}], "slow": [{"session", "authid", "address", …}]}``."""
        if self._broadcaster.is_blind:
            return {"topics": [], "slow": []}
        topics = [
            {"topic": topic, "pushes": pushes, "sessions": self._router.count_receivers(topic)}
            for topic, pushes in self._stream.histories.busiest(WITHIN_S, MOST)
        ]
        return {"topics": topics, "slow": [_told(*each) for each in self._broadcaster.slow_readers(MOST)]}


def _told(session: Any, waiting_bytes: int, age_s: float) -> dict[str, Any]:
    transport = broadcasting.transport(session)
    return {
        "session": broadcasting.session_id(session),
        "authid": getattr(session, "_authid", None),
        "address": peer_host(transport.peer) if transport else "",
        "waiting_bytes": waiting_bytes,
        "age_s": round(age_s, 1),
    }


def merge_busy(reports: Mapping[str, Any]) -> dict[str, Any]:
    """One answer of all nodes. Each push goes to all nodes: pushes count once, sessions add up."""
    pushes: dict[str, int] = {}
    sessions: Counter[str] = Counter()
    slow: list[dict[str, Any]] = []
    for node, report in reports.items():
        for each in report["topics"]:
            topic = each["topic"]
            pushes[topic] = max(pushes.get(topic, 0), each["pushes"])
            sessions[topic] += each["sessions"]
        slow += [{"node": node, **each} for each in report["slow"]]
    busiest = sorted(pushes, key=lambda topic: (-pushes[topic], topic))[:MOST]
    return {
        "within_s": WITHIN_S,
        "topics": [{"topic": topic, "pushes": pushes[topic], "sessions": sessions[topic]} for topic in busiest],
        "slow": sorted(slow, key=lambda each: -each["waiting_bytes"])[:MOST],
    }
