"""The Kubernetes example, against Kubernetes' own schemas, and against the image and itself."""

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from stork_node.config.drain import DrainSettings
from tests.gateway import ROOT

FOLDER = ROOT / "scripts/deploy/kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
FILES = sorted({*FOLDER.glob("*.yaml"), *FOLDER.glob("*.example")} - {FOLDER / "kustomization.yaml"})
# One that is old by now, and the newest that the package knows.
VERSIONS = ("1.30", kubernetes_validate.latest_version())

# Beyond the drain, for the processes to end.
MARGIN_S = 10


def drain_s(environ: dict[str, Any]) -> float:
    """The longest that a node drains; of compose.yaml's ``${NAME:-default}``, the default counts."""
    names = "STORK_DRAIN_WAIT_S", "STORK_DRAIN_SPREAD_S"
    wait_s, spread_s = (re.sub(r"\$\{\w+:-(\d+)\}", r"\1", environ[name]) for name in names)
    return DrainSettings(float(wait_s), float(spread_s)).longest_s


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


RESOURCES = {(each["kind"], each["metadata"]["name"]): each for file in FILES for each in documents(file)}
WORKLOADS = [each for (kind, _), each in RESOURCES.items() if kind in ("Deployment", "StatefulSet")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_resource_is_one_of_kubernetes(file, version):
    for resource in documents(file):
        kubernetes_validate.validate(resource, version, strict=True)


def test_a_misspelt_field_would_be_noticed():
    wrong = RESOURCES["Service", "stork"] | {"sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def containers_of(workload: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workload["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_a_workload_fits_the_image(workload):
    dockerfile = (ROOT / "Dockerfile").read_text()
    [exposed] = re.findall(r"^EXPOSE (.+)$", dockerfile, re.MULTILINE)
    [user] = re.findall(r"^USER (\d+):", dockerfile, re.MULTILINE)
    assert workload["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == int(user)
    for container in containers_of(workload):
        names = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert {str(port) for port in names.values()} <= set(exposed.split())
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            [asked] = [container[probe][kind] for kind in ("httpGet", "tcpSocket") if kind in container[probe]]
            assert asked["port"] in names


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each["metadata"]["name"])
def test_a_workload_has_the_labels_that_select_it(workload):
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"] == labels
    services = [
        each for (kind, _), each in RESOURCES.items() if kind == "Service" and each["spec"]["selector"] == labels
    ]
    names = {port["name"] for container in containers_of(workload) for port in container["ports"]}
    assert services
    assert {port["targetPort"] for service in services for port in service["spec"]["ports"]} <= names


def test_every_secret_that_is_asked_for_is_in_the_example():
    asked = set(re.findall(r'"secretKeyRef": (\{[^}]+\})', json.dumps(WORKLOADS)))
    [secret] = [each for (kind, _), each in RESOURCES.items() if kind == "Secret"]
    for reference in map(json.loads, asked):
        assert reference["name"] == secret["metadata"]["name"]
        assert reference["key"] in secret["stringData"]
    assert not any(secret["stringData"].values())


def test_nodes_find_the_publish_server_by_its_service():
    [node] = containers_of(RESOURCES["Deployment", "stork-node"])
    environ = {each["name"]: each.get("value") for each in node["env"]}
    assert ("Service", environ["STORK_PUBLISH_SERVER"]) in RESOURCES
    # Kubernetes makes such names up for Services.
    assert not [name for name in environ if name.endswith("_PORT") or "_SERVICE_" in name]


def test_a_node_has_the_time_that_its_drain_takes():
    [node] = containers_of(RESOURCES["Deployment", "stork-node"])
    environ = {each["name"]: each.get("value") for each in node["env"]}
    spec = RESOURCES["Deployment", "stork-node"]["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= drain_s(environ) + MARGIN_S
    probe = node["readinessProbe"]
    assert int(environ["STORK_DRAIN_WAIT_S"]) > probe["failureThreshold"] * probe["periodSeconds"]


def test_a_node_of_the_composition_has_the_time_that_its_drain_takes():
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["node"]
    [grace_s] = re.findall(r":-(\d+)s}", service["stop_grace_period"])
    assert int(grace_s) >= drain_s(service["environment"]) + MARGIN_S


def test_the_kustomization_takes_every_resource_that_is_no_example():
    assert sorted(KUSTOMIZATION["resources"]) == [file.name for file in FILES if file.suffix == ".yaml"]
    assert set(KUSTOMIZATION) == {"apiVersion", "kind", "namespace", "resources", "images"}


def test_the_image_is_named_in_one_place():
    [image] = KUSTOMIZATION["images"]
    assert set(image) == {"name", "newName", "newTag"}
    assert {container["image"] for each in WORKLOADS for container in containers_of(each)} == {image["name"]}


def test_the_examples_are_for_the_namespace_and_the_service_of_the_others():
    examples = [each for file in FILES if file.suffix == ".example" for each in documents(file)]
    assert {each["metadata"]["namespace"] for each in examples} == {KUSTOMIZATION["namespace"]}
    ingress = RESOURCES["Ingress", "stork"]
    [path] = ingress["spec"]["rules"][0]["http"]["paths"]
    service = RESOURCES["Service", path["backend"]["service"]["name"]]
    assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
