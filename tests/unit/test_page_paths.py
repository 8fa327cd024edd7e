"""Where a page finds the WebSocket of its transport."""

import json

import pytest

from stork_node.config import configuration


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (("/", "ws"), "ws"),
        (("stork", "ws"), "../ws"),
        (("stork", "push/ws"), "../push/ws"),
        (("a/b", "ws"), "../../ws"),
        (("stork", "/"), "../"),
    ],
)
def test_it_is_told_the_way_from_its_own_path(tmp_path, paths, found):
    page, websocket = paths
    services = {page: {"type": "resource", "classname": configuration.PAGE}, websocket: {"type": "websocket"}}
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": 1}, "paths": services}
    (tmp_path / "config.json").write_text(json.dumps({"workers": [{"type": "router", "transports": [transport]}]}))
    read = configuration.load(tmp_path, {}).crossbar["workers"][0]["transports"][0]["paths"]
    assert read[page]["extra"] == {"websocket": found}
