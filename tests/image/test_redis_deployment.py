"""The files for three replicas on Redis: against Kubernetes' schemas, and against each other."""

import json
import re

import kubernetes_validate
import pytest
import yaml

from stork_node.engines.redis.address import RedisAddress
from tests.gateway import ROOT
from tests.image.test_kubernetes import MARGIN_S, VERSIONS, containers_of, documents, drain_s

FOLDER = ROOT / "scripts/deploy/redis"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
FILES = [FOLDER / name for name in KUSTOMIZATION["resources"]]
RESOURCES = {(each["kind"], each["metadata"]["name"]): each for file in FILES for each in documents(file)}
[REPLICA] = containers_of(RESOURCES["StatefulSet", "stork"])
ENVIRON = {each["name"]: each.get("value") for each in REPLICA["env"]}
COMPOSE = yaml.safe_load((ROOT / "compose.redis.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_resource_is_one_of_kubernetes(file, version):
    for resource in documents(file):
        kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("name", ["stork", "stork-redis"])
def test_a_workload_has_the_labels_that_select_it(name):
    spec = RESOURCES["StatefulSet", name]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    ports = {port["name"] for container in containers_of(RESOURCES["StatefulSet", name]) for port in container["ports"]}
    services = [each for (kind, _), each in RESOURCES.items() if kind == "Service"]
    selected = [each for each in services if each["spec"]["selector"] == labels]
    assert spec["serviceName"] in {each["metadata"]["name"] for each in selected}
    assert {port["targetPort"] for each in selected for port in each["spec"]["ports"]} <= ports


def test_replicas_name_each_other_and_every_sentinel():
    service = RESOURCES["StatefulSet", "stork"]["spec"]["serviceName"]
    assert ENVIRON["STORK_PUBLISH_SERVER"].split(",") == [f"stork-{n}.{service}" for n in range(3)]
    address = RedisAddress.parse(ENVIRON["STORK_ENGINE"].replace("$(STORK_REDIS_PASSWORD)", "secret"))
    assert address.places == tuple((f"stork-redis-{n}.stork-redis", 26379) for n in range(3))
    assert (address.master, address.password, address.sentinel_password) == ("stork", "secret", "secret")


def test_every_secret_is_in_the_command_that_makes_them():
    asked = set(re.findall(r'"secretKeyRef": (\{[^}]+\})', json.dumps(list(RESOURCES.values()))))
    how = (FOLDER / "kustomization.yaml").read_text()
    needed = [each for each in map(json.loads, asked) if not each.get("optional")]
    assert all(f"--from-literal={each['key']}=" in how for each in needed)


def test_a_replica_has_the_time_that_its_drain_takes():
    spec = RESOURCES["StatefulSet", "stork"]["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= drain_s(ENVIRON) + MARGIN_S


def test_the_composition_names_its_own_services():
    replicas = [name for name in SERVICES if name.startswith("stork-")]
    environ = SERVICES["stork-1"]["environment"]
    assert environ["STORK_PUBLISH_SERVER"].split(",") == replicas
    assert [SERVICES[name]["hostname"] for name in replicas] == replicas
    engine = re.sub(r"\$\{STORK_REDIS_PASSWORD[^}]*\}", "secret", environ["STORK_ENGINE"])
    address = RedisAddress.parse(engine)
    assert [host for host, _ in address.places] == [name for name in SERVICES if name.startswith("sentinel-")]
    for name in SERVICES:
        if name.startswith(("redis-", "sentinel-")):
            kind = name.partition("-")[0]
            assert SERVICES[name]["command"] == [kind, name, "redis-1", "/data"]
            assert f"{name}:/data" in SERVICES[name]["volumes"]
            assert name in COMPOSE["volumes"]


def test_a_replica_of_the_composition_has_the_time_that_its_drain_takes():
    service = SERVICES["stork-1"]
    [grace_s] = re.findall(r":-(\d+)s}", service["stop_grace_period"])
    assert int(grace_s) >= drain_s(service["environment"]) + MARGIN_S
