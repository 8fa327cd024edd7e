"""The commands that the PHP client gives, to a double and to the project's own publish server."""

from __future__ import annotations

from typing import Any

import pytest
from php_process import PLAIN, interpreter, run_php
from raw_server import free_port
from router_double import Arrival, RouterDouble
from test_php_real_parts import publish_server

GIVE = """
$publisher = new Publisher($options);
say(attempt(fn () => $publisher->command($args['kind'], $args['given'])));
"""


def give(transport: str, endpoint: str, kind: str, **given: Any) -> Any:
    options = {"endpoint": endpoint, "transport": transport, "timeout_ms": 20_000}
    args = {"options": options, "kind": kind, "given": given}
    return run_php(GIVE, args, command=interpreter(transport)).only


def test_a_command_gives_what_each_node_has_met(transport: str) -> None:
    def obey(server: RouterDouble, arrival: Arrival) -> None:
        met = {"node-1": {"sessions": 2}, "node-2": "pending"}
        id = arrival.document["id"]
        server.reply(arrival.peer, {"ok": True, "id": id, "complete": False, "position": "epoch:7", "nodes": met})

    with RouterDouble(obey) as server:
        said = give(transport, server.endpoint, "disconnect", authid="7", reason="bis später", timeout_ms=100)
        [arrival] = server.arrivals
    answer = said["result"]
    assert (answer["position"], answer["complete"]) == ("epoch:7", False)
    assert answer["nodes"] == {"node-1": {"sessions": 2}, "node-2": "pending"}
    document = arrival.document
    assert len(document.pop("id")) == 32
    assert document == {"command": "disconnect", "authid": "7", "reason": "bis später", "timeout_ms": 100}


def test_the_publish_server_takes_it_and_says_what_is_wrong() -> None:
    port = free_port()
    endpoint = f"tcp://127.0.0.1:{port}"
    with publish_server(port, None):
        obeyed = give("stream", endpoint, "unsubscribe", topic="v1.orders.42", role="frontend", id="k")["result"]
        assert (obeyed["id"], obeyed["complete"], obeyed["nodes"]) == ("k", True, [])
        refused = give("stream", endpoint, "disconnect")
    assert (refused["thrown"], refused["error"]) == ("PushRefused", "invalid_command")
    assert refused["reason"] == "authid: missing (disconnect names exactly one of authid, session, role, topic)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"user": "7"},
            "'user' is not an option of a command "
            "(those are authid, session, role, topic, feed, reason, timeout_ms, id)",
        ),
        ({"authid": "7", "id": ""}, "the option id is not a non-empty string"),
        ({"authid": "7", "timeout_ms": "5"}, "the option timeout_ms is not a number of milliseconds, such as 5000"),
    ],
)
def test_what_makes_no_sense_is_not_sent(given: dict[str, Any], message: str) -> None:
    args = {"options": {}, "kind": "disconnect", "given": given}
    said = run_php(GIVE, args, command=PLAIN).only
    assert (said["thrown"], said["message"]) == ("InvalidCommand", message)


def test_a_receipt_says_what_each_node_has_written(transport: str) -> None:
    def write(server: RouterDouble, arrival: Arrival) -> None:
        receipt = {"node-1": {"sent": 2, "slow": 0, "cut": 0, "excluded": 1}, "node-2": "gone"}
        server.reply(
            arrival.peer, {"ok": True, "id": arrival.document["id"], "position": "epoch:7", "receipt": receipt}
        )

    push = """
    $publisher = new Publisher($options);
    say($publisher->pushMany([['v1.a.1', new SimpleMessage('hi', null), ['receipt' => true]]])[0]->receipt);
    """
    with RouterDouble(write) as server:
        options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 20_000}
        said = run_php(push, {"options": options}, command=interpreter(transport)).only
        [arrival] = server.arrivals
    assert said == {"node-1": {"sent": 2, "slow": 0, "cut": 0, "excluded": 1}, "node-2": "gone"}
    assert arrival.document["receipt"] is True
