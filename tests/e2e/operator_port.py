"""What a balancer sees of a node."""

import json
import re
import urllib.error
import urllib.request
from typing import Any


def get(url: str) -> tuple[int, dict[str, Any]]:
    """The HTTP status, and the page's JSON."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def metric(operator_url: str, name: str) -> float:
    """A metric without labels, from ``/metrics``."""
    with urllib.request.urlopen(operator_url + "metrics", timeout=10) as answer:
        text = answer.read().decode()
    [value] = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(value)
