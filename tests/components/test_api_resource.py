"""The HTTP API's resource without a port: what it says of keys that are replaced while a connection is open."""

import hashlib
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from stork_components.api.resource import ApiResource
from stork_node.api.keys import ApiKey, Keyring
from stork_node.http.heads import read_head

OLD, NEW = "an-old-key-of-a-deployment", "a-new-key-of-a-deployment"


def keyring(key: str) -> Keyring:
    return Keyring([ApiKey("shop", hashlib.sha256(key.encode()).digest(), frozenset(["read"]))])


@pytest.mark.parametrize(("before", "after"), [(401, 200), (200, 401)])
def test_a_head_that_comes_again_is_judged_by_the_keys_of_now(before, after):
    api: Any = SimpleNamespace(keyring=keyring(OLD), counters=SimpleNamespace(requests=Counter()))
    used = NEW if before == 401 else OLD
    head = read_head(b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\n\r\n" % used.encode())
    handler = ApiResource(lambda: api).begin(head)
    statuses = []
    exchange: Any = SimpleNamespace(reply=lambda status, *_: statuses.append(status))
    handler(b"", exchange)
    api.keyring = keyring(NEW)
    handler(b"", exchange)
    assert statuses == [before, after]
