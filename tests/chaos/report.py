"""The result of a run, in text and as JSON."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.histories import BROKEN, summary
from tests.chaos.run import Run


def as_json(run: Run) -> dict[str, Any]:
    """Everything but the events themselves."""
    return {
        "seed": run.seed,
        "seconds": round(run.ended - run.began, 1),
        "settled": run.settled,
        "verdict": summary(run.verdict),
        "faults": [
            {
                "number": each.fault.number,
                "kind": each.fault.kind,
                "target": each.fault.target,
                "began_s": round(each.began - run.began, 2),
                "ended_s": round(each.ended - run.began, 2),
            }
            for each in run.happened
        ],
        "connections_lost": dict(connections_lost(run)),
        "log_replaced_s": [round(each.at - run.began, 2) for each in run.replaced],
    }


def connections_lost(run: Run) -> Counter[str]:
    """How often subscribers were without a connection, by the reason they gave."""
    return Counter(
        line["reason"]
        for line in run.lines
        if line["kind"] == "state" and line["state"] == "waiting" and line["reason"]
    )


def as_text(run: Run) -> str:
    verdict = run.verdict
    kinds = Counter(each.fault.kind for each in run.happened)
    unanswered = sum(1 for line in run.pushes if line["position"] is None)
    again = sum(1 for line in run.pushes if line["tries"] > 1)
    people = len({line["who"] for line in run.lines})
    lines = [
        f"{len(run.happened)} faults of seed {run.seed} in {run.ended - run.began:.0f} s: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()),
        f"{verdict.pushes} pushes ({again} tried again, {unanswered} never answered), "
        f"{verdict.delivered} events handed on to {people} subscribers",
        "connections lost: " + ", ".join(f"{count} {reason}" for reason, count in connections_lost(run).most_common()),
        f"recoveries: {verdict.recovered} complete, {verdict.announced} told of a gap; "
        f"log replaced {sum(each.at > 0 for each in run.replaced)} times",
        f"commands: {verdict.commands}, which ended {verdict.ended} sessions",
        "",
        *(f"  {kind.replace('_', ' '):<14}{verdict.counts[kind]:>6}" for kind in BROKEN),
        "",
        "Nothing was lost, doubled, or told without need."
        if verdict.clean and run.settled
        else "PROMISES WERE BROKEN:",
        *verdict.findings,
    ]
    if not run.settled:
        lines.append("Not everybody had the last push to each topic in time.")
    return "\n".join(lines) + "\n"


def write(run: Run, folder: Path) -> None:
    """``report.txt`` and ``report.json``."""
    (folder / "report.txt").write_text(as_text(run))
    (folder / "report.json").write_text(json.dumps(as_json(run), indent=1) + "\n")
