"""The shipped Grafana dashboard, as what it asks Prometheus."""

import json
import re
from dataclasses import dataclass

from tests.monitoring.prometheus import JOB, MONITORING


@dataclass(frozen=True)
class Query:
    """``legend`` has ``{{label}}`` where Grafana puts a label's value."""

    expression: str
    legend: str

    def name(self, labels: dict[str, str]) -> str:
        return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), self.legend)


@dataclass(frozen=True)
class Panel:
    """``row`` and ``column`` count from 0; ``unit`` is Grafana's word for it."""

    title: str
    unit: str
    row: int
    column: int
    queries: tuple[Query, ...]


def panels(rate_interval: str) -> list[Panel]:
    """
    All panels, with the job of ``Prometheus`` and a rate interval filled in.

    Args:
        rate_interval: such as ``10s``; Grafana takes at least four scrapes.
    """
    return [
        Panel(
            panel["title"],
            panel["fieldConfig"]["defaults"]["unit"],
            panel["gridPos"]["y"] // panel["gridPos"]["h"],
            panel["gridPos"]["x"] // panel["gridPos"]["w"],
            tuple(_query(target, rate_interval) for target in panel["targets"]),
        )
        for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    ]


def _query(target: dict[str, str], rate_interval: str) -> Query:
    expression = target["expr"].replace("$job", JOB).replace("$__rate_interval", rate_interval)
    return Query(expression, target["legendFormat"])
