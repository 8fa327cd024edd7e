"""One answer from the reports of all nodes, and its sentences for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from stork_node.protocol.timestamps import format_timestamp
from stork_node.why.judging import CAUSES, Finding

# They do not say that other nodes know of no other session of the user.
_WEAK = frozenset({"not_subscribed", "denied"})


class WhyQuestion(Struct, frozen=True):
    """``position``: of the push; None: what would become of a push now."""

    topic: str
    authid: str
    position: str | None = None


class Report(Struct, frozen=True, omit_defaults=True):
    """
    What one node knows.

    Attributes:
        is_known: whether it remembers what its sessions did when the push was delivered.
        is_pending: it has not come to the push yet.
        is_pushed: whether a stored push of the topic has this position; None: this is not known.
        findings, offline: as in ``Judgement``.
    """

    is_known: bool = True
    is_pending: bool = False
    is_pushed: bool | None = None
    findings: list[Finding] = []
    offline: Finding | None = None


def merge(asked: WhyQuestion, reports: Mapping[str, Report], missing: Sequence[str]) -> dict[str, Any]:
    """
    Args:
        reports: by node.
        missing: the nodes that have not answered.

    Returns:
        ``{"topic", "user", "position", "causes": [{"cause", "node"?, "session"?, "at"?, "by"?, "reason"?}],
            "missing"}``, the strongest cause first.
    """
    causes = _causes(asked, reports, missing)
    causes.sort(key=lambda cause: CAUSES.index(cause["cause"]) if cause["cause"] in CAUSES else -1)
    return {
        "topic": asked.topic,
        "user": asked.authid,
        "position": asked.position,
        "causes": causes,
        "missing": list(missing),
    }


def _causes(asked: WhyQuestion, reports: Mapping[str, Report], missing: Sequence[str]) -> list[dict[str, Any]]:
    if any(report.is_pushed is False for report in reports.values()):
        return [{"cause": "not_pushed"}]
    known = {node: report for node, report in reports.items() if report.is_known}
    causes = [_told(each, node, asked) for node, report in known.items() for each in report.findings]
    causes += [{"cause": "pending", "node": node} for node, report in reports.items() if report.is_pending]
    unknown = [*missing, *(node for node in reports if node not in known)]
    if unknown and all(cause["cause"] in _WEAK for cause in causes):
        names = ", ".join(unknown)
        causes.append({"cause": "unknown", "reason": f"not known there any more, or no answer: {names}"})
    if causes:
        return causes
    gone = [(report.offline, node) for node, report in known.items() if report.offline]
    if not gone:
        return [{"cause": "offline"}]
    offline, node = max(gone, key=lambda one: one[0].at or 0.0)
    return [_told(offline, node, asked)]


def _told(finding: Finding, node: str, asked: WhyQuestion) -> dict[str, Any]:
    cause = finding.cause
    if cause == "delivered" and asked.position is None:
        cause = "subscribed"
    told: dict[str, Any] = {"cause": cause, "node": node, "session": finding.session}
    if finding.at is not None:
        told["at"] = format_timestamp(finding.at)
    if finding.by:
        told["by"] = finding.by
    if finding.reason:
        told["reason"] = finding.reason
    return told


def sentence(cause: Mapping[str, Any]) -> str:
    """One cause of ``merge``, for people."""
    session = f"session {cause['session']} on {cause['node']}" if "session" in cause else ""
    at, reason = f" at {cause['at']}" if "at" in cause else "", f": {cause['reason']}" if "reason" in cause else ""
    since = f" since {cause['at']}" if "at" in cause else ""
    return {
        "delivered": f"delivered: to {session}{at}",
        "subscribed": f"subscribed: {session} gets what is pushed now",
        "recovered": f"recovered: by {session}{at}",
        "excluded": f"excluded: the push names {session}",
        "slow": f"slow: {session} read too slowly, and was cut{at}{reason}",
        "denied": f"denied: by the {cause.get('by', 'application')}{at}, {session}{reason}",
        "not_subscribed": f"not subscribed: {session}{since}",
        "pending": f"pending: {cause.get('node')} has not come to this position yet",
        "join_refused": f"join refused: by the {cause.get('by', 'application')}{at}, {session}{reason}",
        "offline": f"offline: no session of this user{since}",
        "not_pushed": "not pushed: no stored event of this topic has this position",
        "unknown": f"unknown{reason}",
    }[cause["cause"]]
