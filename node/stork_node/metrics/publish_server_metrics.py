"""The publish server's figures as Prometheus metrics of each node: every heartbeat brings them."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PREFIX = "stork_publish_server"
REFUSED = "Documents that were refused, by the field that was wrong."
COUNTERS = {
    "accepted": "Pushes that were numbered, stored and published.",
    "commands": "Commands that were numbered, stored and published.",
    "duplicates": "Pushes with an id that was known: answered with the first position, not delivered again.",
    "storage_failed": "Pushes that the log could not store.",
    "unreachable": "Answers to pushers that had left.",
    "strangers": "Connections that were refused because of their key.",
    "cut": "Connections that were cut: their peers made the server hold too much, or were too many.",
    "heartbeats": "Heartbeats that were sent to the nodes.",
    "replay_pages": "Pages of replay that were sent to relays.",
    "replay_pushes": "Pushes in these pages.",
    "replay_refused": "Requests on the replay port that were refused.",
    "erasures": "Topics that were erased.",
    "epochs": "Epochs that began because a relay had seen more pushes than the log has.",
    "claims_refused": "Requests of relays that claim pushes which this log cannot have had.",
    "webhooks_failures": "Requests of webhooks that were not answered with 2xx; each is sent again.",
    "webhooks_resyncs": "How many times a webhook was told everybody who is online.",
    "handlers_failures": "Calls of on_online and on_offline handlers that have failed; each is made again.",
    "handlers_resyncs": "How many times handlers were told who has come and gone while entries were missed.",
}
"""Each is a field of ``publish_server.counters.Counters``, or of ``Webhooks.figures``; this is its HELP text."""
GAUGES = {
    "log_nodes": "Nodes that are attached.",
    "log_bytes": "Size of the log on disk.",
    "log_segments": "Segment files of the log.",
    "log_pushes": "Entries that the log keeps.",
    "log_oldest_age_s": "Age of the oldest entry of the log.",
    "log_trouble": "1 while the log cannot store pushes, or cannot do its upkeep.",
    "webhooks_waiting": "Events that no webhook has answered yet, and entries that may have some.",
    "webhooks_oldest_age_s": "Age of the oldest of these events.",
    "handlers_waiting": "Entries and calls of on_online and on_offline handlers that are not made yet.",
    "handlers_oldest_age_s": "Age of the oldest of these calls.",
}
"""Each is a key of ``PushLog.figures`` or ``Webhooks.figures``."""


def publish_server_families(counters: Mapping[str, float]) -> Iterator[Metric]:
    """
    The metrics of one heartbeat.

    Args:
        counters: as ``publish_server.counters.figures`` makes them; of a newer server there may be more.
    """
    refused = CounterMetricFamily(f"{PREFIX}_refused", REFUSED, labels=["kind"])
    for name, value in sorted(counters.items()):
        if name.startswith("refused"):
            kind = name.removeprefix("refused").removeprefix("_")
            if kind:
                refused.add_metric([kind], value)
        elif name.startswith("log_") or name in GAUGES:
            yield GaugeMetricFamily(f"{PREFIX}_{metric_name(name)}", GAUGES.get(name, _text(name)), value)
        else:
            yield CounterMetricFamily(f"{PREFIX}_{name}", COUNTERS.get(name, _text(name)), value)
    yield refused


def metric_name(name: str) -> str:
    """The unit in full, as Prometheus has it."""
    return name.removesuffix("_age_s") + "_age_seconds" if name.endswith("_age_s") else name


def _text(name: str) -> str:
    return f"The publish server's {name.replace('_', ' ')}, from its last heartbeat."
