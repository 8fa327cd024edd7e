"""Fixtures for the PHP client: every test that takes `transport` runs over both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from php_process import has_zmq
from router_double import RouterDouble


@pytest.fixture(params=["stream", "ext-zmq"])
def transport(request: pytest.FixtureRequest) -> str:
    """The transport to force: `stream` under a PHP with no extension of a distribution, `ext-zmq` with that one."""
    name: str = request.param
    if name == "ext-zmq" and not has_zmq():
        pytest.skip("this PHP has no extension zmq (Debian: php-zmq)")
    return name


@pytest.fixture
def server() -> Iterator[RouterDouble]:
    """A publish server that accepts everything."""
    with RouterDouble() as double:
        yield double
