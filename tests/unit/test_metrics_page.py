"""The tables of docs/metrics.md have each metric that the code registers, with its type, labels and HELP text."""

import dataclasses
from collections.abc import Iterator, Mapping

import pytest

from stork_node.api.counters import ApiCounters
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.config.limits import LimitCounters
from stork_node.engines.embedded import EmbeddedEngine
from stork_node.guard.counters import GuardCounters
from stork_node.http.counters import HttpCounters
from stork_node.metrics import publish_server_metrics
from stork_node.metrics.exposition import build_family
from stork_node.metrics.node_figures import ApplicationFigures, GuardState, NodeFigures, PresenceFigures, RelayState
from stork_node.metrics.process_figures import ProcessFigures
from stork_node.metrics.publish_server_metrics import COUNTERS, GAUGES, PREFIX, REFUSED
from stork_node.publish_server.counters import Counters
from stork_node.push_log import SegmentLog
from stork_node.pusher.counters import PusherCounters, PusherFigures
from stork_node.relay.counters import RelayCounters
from stork_node.webhooks.feeding import Webhooks
from stork_node.webhooks.settings import WebhookSettings
from tests.book import DOCS, tables

# As components/stork_components/metrics.py does it; tests/e2e/test_metrics.py compares the page with a real node.
FIGURES = (
    ("stork", NodeFigures),
    ("stork", LimitCounters),
    ("stork_http", HttpCounters),
    ("stork_api", ApiCounters),
    ("stork_pusher", PusherCounters),
    ("stork_pusher", PusherFigures),
    ("stork_guard", GuardCounters),
    ("stork_guard", GuardState),
    ("stork_relay", RelayCounters),
    ("stork_relay", RelayState),
    ("stork_presence", PresenceFigures),
    ("stork_broadcast", BroadcastCounters),
    ("stork_app", ApplicationFigures),
    ("stork_process", ProcessFigures),
)
# The values of labels that the code does not list.
VALUES = {
    "feed": "feeds with presence, other",
    "role": "roles of config.json",
    "kind": "authenticator, verifier, procedure, on_join handler, …",
    "process": "router, app, controller",
}


def _row(name: str, kind: str, labels: str, text: str) -> Mapping[str, str]:
    full = f"{name}_total" if kind == "counter" else name
    return {"name": f"`{full}`", "type": kind, "labels": labels, "meaning": text}


def _rows(prefix: str, figures: type) -> Iterator[Mapping[str, str]]:
    for field in dataclasses.fields(figures):
        if "kind" in field.metadata:
            label = field.metadata.get("label", "")
            known = ", ".join(field.default_factory()) if label else ""
            labels = f"`{label}`: {known or VALUES[label]}" if label else ""
            yield _row(f"{prefix}_{field.name}", field.metadata["kind"], labels, field.metadata["text"])


def of_the_node() -> list[Mapping[str, str]]:
    build = build_family()
    labels = ", ".join(f"`{label}`" for label in build.samples[0].labels)
    rows = [_row(build.name, "gauge", labels, build.documentation)]
    return rows + [row for prefix, figures in FIGURES for row in _rows(prefix, figures)]


def of_the_publish_server() -> list[Mapping[str, str]]:
    rows = [_row(f"{PREFIX}_{name}", "counter", "", text) for name, text in COUNTERS.items()]
    rows.append(_row(f"{PREFIX}_refused", "counter", "`kind`: a key of the document, or `frame`", REFUSED))
    gauges = {publish_server_metrics.metric_name(name): text for name, text in GAUGES.items()}
    return rows + [_row(f"{PREFIX}_{name}", "gauge", "", text) for name, text in gauges.items()]


@pytest.mark.parametrize(("number", "rows"), [(0, of_the_node()), (1, of_the_publish_server())])
def test_the_page_has_each_metric_with_its_meaning(number, rows):
    assert tables(DOCS / "metrics.md", "name", "type")[number] == rows


def test_each_figure_of_a_heartbeat_has_a_meaning(tmp_path):
    counted = {field.name for field in dataclasses.fields(Counters)}
    webhook = WebhookSettings("http://127.0.0.1:9/", "s" * 20)
    with SegmentLog(tmp_path / "log") as log:
        of_webhooks = Webhooks([webhook], EmbeddedEngine(log, 0.0), log.folder).figures()
        assert {*counted, *log.figures(), *of_webhooks} == {*COUNTERS, *GAUGES, "refused"}
        of_none = Webhooks([], EmbeddedEngine(log, 0.0), log.folder).figures()
        assert of_none == dict.fromkeys(of_webhooks, 0)
