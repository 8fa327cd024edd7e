"""What all nodes have said becomes one answer of the HTTP API."""

from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest
from typing import Any

import msgspec
from msgspec import Struct

from stork_node.nodes.commands import OLD
from stork_node.protocol.commands.leases import Nodes

# A node's page of topics, as JSON, fits into its answer to a question (48 KiB).
MOST_PAGE_BYTES = 40 << 10
_BYTES_BESIDES = 24
SILENT_S = 2.0
"""A node that has said nothing for so long is missing."""
_encode = msgspec.json.Encoder().encode


class TopicsPage(Struct, frozen=True):
    """
    Topics of one node in order, each with its sessions.

    ``more``: there are further ones after the last.
    """

    topics: list[tuple[str, int]]
    more: bool = False


def topics_page(
    found: Iterable[tuple[str, int]],
    limit: int,
    prefix: str,
    after: str | None,
    allows: Callable[[Iterable[str]], bool],
) -> TopicsPage:
    """
    The first topics of a node.

    Args:
        found: all of its topics, with the sessions of each.
        after: only those that come later.
        allows: whether the key may read a topic.
    """
    chosen = (
        (topic, sessions)
        for topic, sessions in found
        if topic.startswith(prefix) and (after is None or topic > after) and allows([topic])
    )
    first = nsmallest(limit + 1, chosen)
    size = 0
    for number, (topic, _) in enumerate(first[:limit]):
        size += json_bytes(topic)
        if size > MOST_PAGE_BYTES:
            return TopicsPage(first[:number], more=True)
    return TopicsPage(first[:limit], len(first) > limit)


def json_bytes(topic: str) -> int:
    """How many bytes a topic takes in an answer, with its number."""
    return len(_encode(topic)) + _BYTES_BESIDES


def merge_topics(pages: Iterable[TopicsPage], limit: int) -> dict[str, Any]:
    """One page of the deployment: up to where no node has left something out."""
    sessions: dict[str, int] = {}
    ends = []
    for page in pages:
        for topic, number in page.topics:
            sessions[topic] = sessions.get(topic, 0) + number
        if page.more:
            ends.append(page.topics[-1][0] if page.topics else "")
    known = sorted(topic for topic in sessions if not ends or topic <= min(ends))
    merged: dict[str, Any] = {"topics": [{"topic": topic, "sessions": sessions[topic]} for topic in known[:limit]]}
    if ends or len(known) > limit:
        merged["cursor"] = known[:limit][-1] if known else min(ends)
    return merged


def merge_user(authid: str, by_node: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The sessions of a user on all nodes."""
    sessions = [each | {"node": node} for node, found in by_node.items() for each in found]
    return {"authid": authid, "sessions": sessions}


def list_nodes(table: Nodes) -> dict[str, Any]:
    """The nodes of a deployment; nodes of a release without leases are ``old``, and nothing else is known of them."""
    rows: list[dict[str, Any]] = [
        {
            "node": each.node,
            "incarnation": each.incarnation,
            "version": each.version,
            "position": f"{table.epoch}:{each.position}",
            "sessions": each.sessions,
            "state": each.state,
        }
        for each in table.nodes
    ]
    unknown = dict.fromkeys(("incarnation", "version", "position", "sessions"))
    rows += [{"node": f"old-{number}", **unknown, "state": OLD} for number in range(1, table.old + 1)]
    return {"nodes": rows, "missing": [each.node for each in table.nodes if each.silent_s > SILENT_S]}
