"""The dashboard and the alert rules, asked of a real Prometheus that scrapes a real node."""

import re
import subprocess

import pytest
import zmq

from tests.gateway import Deployment, Node, wait_for
from tests.monitoring.dashboard import panels
from tests.monitoring.prometheus import MONITORING, Prometheus
from tests.wamp import Aborted


def test_promtool_finds_nothing_wrong_with_the_rules():
    outcome = subprocess.run(["promtool", "check", "rules", MONITORING / "alerts.yml"], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def use(node: Node, deployment: Deployment) -> None:
    """Something of each kind that panels show."""
    with node.join() as client, deployment.publisher() as publisher:
        client.subscribe("v1.test.monitoring")
        publisher.push("v1.test.monitoring", type="counted")
        client.event()
        client.call("io.virge.stork.recover", {"v1.test.monitoring": None})
    with pytest.raises(Aborted):
        node.join("wrong ticket")
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.connect(deployment.pull)
        socket.send(b"no push")


@pytest.fixture(scope="module")
def prometheus(shipped: Deployment, tmp_path_factory: pytest.TempPathFactory):
    node = shipped.nodes[0]
    operator_port = shipped.operator_ports[node.port]
    with Prometheus(tmp_path_factory.mktemp("monitoring") / "prometheus", {"node 1": operator_port}) as prometheus:
        yield prometheus


def test_every_panel_shows_something(shipped: Deployment, prometheus: Prometheus):
    asked = [(panel.title, query) for panel in panels("10s") for query in panel.queries]
    assert len(asked) > 20
    lacking: list[str] = []

    def all_have_values() -> bool:
        use(shipped.nodes[0], shipped)
        lacking[:] = [f"{title}: {query.legend}" for title, query in asked if not prometheus.ask(query.expression)]
        return not lacking

    try:
        wait_for(all_have_values, "a value for each query", 30)
    except AssertionError:
        raise AssertionError(f"without an answer: {lacking}") from None
    legends = {query.legend: prometheus.ask(query.expression) for _, query in asked}
    for legend, series in legends.items():
        for label in re.findall(r"{{(\w+)}}", legend):
            assert all(label in each["metric"] for each in series), f"{legend}: no label {label}"


def test_every_alert_can_be_decided_and_none_is_raised_by_a_healthy_node(prometheus: Prometheus):
    rules = wait_for(lambda: _decided(prometheus), "Prometheus has looked at each rule")
    assert len(rules) > 10
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def _decided(prometheus: Prometheus) -> list[dict]:
    rules = prometheus.rules()
    return rules if all(rule["health"] != "unknown" for rule in rules) else []


def test_every_alert_asks_for_what_is_exposed(shipped: Deployment, prometheus: Prometheus):
    """An alert without an answer is silent, so that a wrong name in it would never be seen."""
    rules = wait_for(lambda: _decided(prometheus), "Prometheus has looked at each rule")
    names = {name for rule in rules for name in re.findall(r"\bstork_[a-z_]+|\bup\b", rule["query"])}
    assert len(names) > 10
    use(shipped.nodes[0], shipped)
    wait_for(
        lambda: all(prometheus.ask(f'{{__name__="{name}"}}') for name in names), f"a series for each of {sorted(names)}"
    )
