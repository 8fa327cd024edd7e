"""What a balancer sees of a node."""

import json
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
