"""Counters of the HTTP API."""

from collections import Counter
from dataclasses import dataclass

from stork_node.api.answers import STATUS
from stork_node.metrics.figures import counter, counter_by

STATUSES = tuple(str(status) for status in sorted({200, 500, 502, *STATUS.values()}))


@dataclass
class ApiCounters:
    requests: Counter[str] = counter_by("status", "Requests of the HTTP API, by the status of their answers.", STATUSES)
    pushes: int = counter("Push documents that came by HTTP.")
