"""What a node answers about its sessions: ``topics``, ``topic`` and ``user``."""

from itertools import accumulate
from typing import Any

import msgspec

from stork_components.broadcaster import Broadcaster
from stork_components.questions.deployment import Deployment
from stork_crossbar.internals import broadcasting
from stork_node.api.keys import TopicPattern, allows
from stork_node.api.merging import TopicsPage, json_bytes, topics_page
from stork_node.application.values import peer_host
from stork_node.protocol.commands.questions import MAX_CONTENT_BYTES

_MOST_BYTES = MAX_CONTENT_BYTES - 1_024
# Of a session without its topics.
_SESSION_BYTES = 300


class TopicsQuestion(msgspec.Struct, frozen=True):
    """``patterns``: those of the key that asks; empty for all topics."""

    limit: int
    prefix: str = ""
    after: str | None = None
    patterns: tuple[str, ...] = ()


class NodeSessions:
    """Reads the sessions and subscriptions of this node's router."""

    def __init__(self, component: Any, broadcaster: Broadcaster) -> None:
        self._router, self._broadcaster = broadcasting.Router(component), broadcaster

    def answer_in(self, deployment: Deployment) -> None:
        """Have this node answer."""
        deployment.answer("topics", self._topics)
        deployment.answer("topic", lambda params: self._router.count_receivers(params["topic"]))
        deployment.answer("user", lambda params: self._user(params["authid"]))

    def _topics(self, params: Any) -> TopicsPage:
        asked = msgspec.convert(params, TopicsQuestion)
        patterns = tuple(map(TopicPattern.parse, asked.patterns))
        found = self._router.topics()
        return topics_page(found, asked.limit, asked.prefix, asked.after, lambda topics: allows(patterns, topics))

    def _user(self, authid: str) -> list[dict[str, Any]]:
        """As many sessions, and of each as many topics, as an answer has room for."""
        room, found = _MOST_BYTES, []
        for session in self._router.visitors(authid, None, None):
            told = self._told(session)
            room -= _SESSION_BYTES
            if room <= 0:
                break
            for name in ("topics", "patterns"):
                fitting = _fitting(told.get(name, []), room)
                room -= sum(map(json_bytes, fitting))
                if name in told:
                    told[name] = fitting
            found.append(told)
        return found

    def _told(self, session: Any) -> dict[str, Any]:
        session_id = broadcasting.session_id(session) or 0
        transport = broadcasting.transport(session)
        subscriptions = sorted((each.uri, each.match) for each in self._router.subscriptions_of(session))
        told: dict[str, Any] = {
            "session": session_id,
            "address": peer_host(transport.peer) if transport else "",
            "since": broadcasting.joined_at(session),
            "topics": [uri for uri, match in subscriptions if match == "exact"],
            "waiting_bytes": self._broadcaster.waiting_bytes(session_id),
        }
        if patterns := [uri for uri, match in subscriptions if match != "exact"]:
            told["patterns"] = patterns
        return told


def _fitting(topics: list[str], room: int) -> list[str]:
    """The first of these topics, as many as there is room for."""
    sizes = accumulate(map(json_bytes, topics))
    return [topic for topic, size in zip(topics, sizes, strict=True) if size <= room]
