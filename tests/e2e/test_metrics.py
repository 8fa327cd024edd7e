"""``/metrics`` on the operator's port of a real node: what has happened is there, by Prometheus' conventions."""

import re
import urllib.error
import urllib.request
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stork_node.protocol.positions import Position
from tests.book import DOCS, tables
from tests.e2e.operator_port import Samples, samples, scrape, value
from tests.gateway import Deployment, wait_for
from tests.wamp import Aborted, Refused


def test_what_happened_is_counted(shipped: Deployment):
    node = shipped.nodes[0]
    before = samples(node)
    with node.join() as client, shipped.publisher() as publisher:
        client.subscribe("v1.test.metrics")
        publisher.push("v1.test.metrics", type="counted", data="x" * 100)
        client.event()
        with pytest.raises(Refused):
            client.subscribe("v1.nothing.metrics")
        with pytest.raises(Aborted):
            node.join("wrong ticket")
        position = Position.parse(publisher.position())

        def heartbeat_has_come() -> Samples | None:
            now = samples(node)
            accepted = "stork_publish_server_accepted_total"
            return now if value(now, accepted) > value(before, accepted) else None

        after = wait_for(heartbeat_has_come, "the publish server's own figures")

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert more("stork_guard_joins_total") == 1
    assert more("stork_guard_refusals_total", case="denied") == 1
    assert more("stork_guard_subscriptions_total", outcome="allowed") >= 1
    assert more("stork_guard_subscriptions_total", outcome="denied") == 1
    assert more("stork_broadcast_pushes_total") >= 1
    assert more("stork_broadcast_deliveries_total") >= 1
    assert more("stork_broadcast_bytes_total") > 100
    assert more("stork_relay_delivery_seconds_count") >= 1
    assert more("stork_app_user_code_seconds_count", kind="authenticator") == 2
    assert value(after, "stork_sessions", role="frontend") >= 1
    assert value(after, "stork_subscriptions") >= 1
    assert value(after, "stork_ready") == 1
    assert value(after, "stork_relay_caught_up") == 1
    assert 0 <= value(after, "stork_relay_lag_seconds") < 60
    assert value(after, "stork_relay_position") >= position.sequence
    assert value(after, "stork_publish_server_log_bytes") > 100
    for process in ("router", "controller", "app"):
        assert value(after, "stork_process_resident_memory_bytes", process=process) > 10_000_000
        assert value(after, "stork_process_open_fds", process=process) > 3
    [build] = [dict(labels) for (name, labels) in after if name == "stork_build_info"]
    assert set(build) == {"version", "crossbar", "autobahn", "twisted", "python"}
    assert "unknown" not in build.values()


def test_the_book_lists_each_metric_of_a_node(shipped: Deployment):
    listed = {row["name"].strip("`") for rows in tables(DOCS / "metrics.md", "name", "type") for row in rows}

    def found() -> set[str]:
        parsed = text_string_to_metric_families(scrape(shipped.nodes[0]))
        return {f"{family.name}_total" if family.type == "counter" else family.name for family in parsed}

    # The publish server's figures come with its next heartbeat.
    wait_for(lambda: "stork_publish_server_accepted_total" in found(), "the publish server's own figures")
    assert found() == listed


def test_names_follow_the_conventions(shipped: Deployment):
    for family in text_string_to_metric_families(scrape(shipped.nodes[0])):
        assert re.fullmatch(r"stork(_[a-z]+)+", family.name), family.name
        assert family.documentation, family.name
        assert family.type != "unknown", family.name
        units = re.findall(r"(?:seconds|bytes|milliseconds|kilobytes|minutes)", family.name)
        assert set(units) <= {"seconds", "bytes"}, family.name


def test_openmetrics_is_spoken_to_who_asks_for_it(shipped: Deployment):
    accept = "application/openmetrics-text; version=1.0.0"
    assert scrape(shipped.nodes[0], accept).endswith("# EOF\n")


def test_metrics_are_not_on_the_public_port(shipped: Deployment):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(shipped.nodes[0].page_url + "metrics", timeout=10)


def test_without_its_application_process_a_node_still_tells_of_itself(tmp_path: Any):
    def without_application(config: dict[str, Any]) -> None:
        del config["workers"][1]

    with Deployment(tmp_path, change=without_application) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        found = samples(node)
        assert value(found, "stork_ready") == 0
        assert value(found, "stork_process_cpu_seconds_total", process="router") > 0
        assert not [name for name, _ in found if name.startswith("stork_app_")]
