"""Figures of Pusher's protocol on one node."""

from collections import Counter
from dataclasses import dataclass

from stork_node.metrics.figures import counter, counter_by, gauge

CODES = ("4001", "4003", "4006", "4007", "4009", "4100", "4200", "4201")
STATUSES = ("200", "400", "401", "403", "404", "405", "411", "413", "429", "500", "501", "503")


@dataclass
class PusherCounters:
    opened: int = counter("Connections of Pusher clients that were established.")
    closed: Counter[str] = counter_by("code", "Connections that this node closed, by the code.", CODES)
    client_events: int = counter("Events of clients that were passed on.")
    requests: Counter[str] = counter_by(
        "status", "Requests of Pusher's HTTP API, by the status of their answers.", STATUSES
    )


@dataclass
class PusherFigures:
    connections: int = gauge("Connections of Pusher clients now.")
    channels: int = gauge("Channels with subscribers on this node.")
