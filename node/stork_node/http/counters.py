"""Counters of HTTP requests and WebSockets that were refused, by reason."""

from collections import Counter
from dataclasses import dataclass

from stork_node.metrics.figures import counter_by

REASONS = (
    "bad_request",
    "body",
    "descriptors",
    "host",
    "method",
    "origin",
    "slow_reader",
    "slow_request",
    "too_large",
)


@dataclass
class HttpCounters:
    refused: Counter[str] = counter_by("reason", "HTTP requests and WebSocket handshakes that were refused.", REASONS)
