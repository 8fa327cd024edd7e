"""The operator's port, as a balancer and Prometheus see it."""

import json
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.gateway import Node

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def get(url: str) -> tuple[int, dict[str, Any]]:
    """The HTTP status, and the page's JSON."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def scrape(node: Node, accept: str = "text/plain") -> str:
    request = urllib.request.Request(node.operator_url + "metrics", headers={"accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode()


def samples(node: Node) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(scrape(node))
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)
