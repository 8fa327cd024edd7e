"""Commands at a real node: sessions and subscriptions end, in the order of the log, and the answer says so."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from stork_node import Publisher
from tests.gateway import Deployment, Node, wait_for
from tests.wamp import GOODBYE, UNSUBSCRIBED, Client, Closed


@pytest.fixture
def publisher(many_ways: Deployment) -> Iterator[Publisher]:
    with many_ways.publisher() as publisher:
        wait_for(lambda: publisher.command("forget", authid="nobody").nodes, "the node to attach")
        yield publisher


def settled(publisher: Publisher, *clients: Client) -> None:
    """Wait until a command binds sessions that have just joined, by a lease after their WELCOME."""
    del clients
    before = publisher.position()
    publisher.command("forget", authid="nobody")
    wait_for(lambda: publisher.command("forget", authid="nobody").complete, "a lease")
    assert before
    threading.Event().wait(2.5)


def ended(client: Client) -> list[object]:
    """What a client is told last."""
    while (message := client.receive())[0] not in (GOODBYE, UNSUBSCRIBED):
        pass
    return message


def test_disconnect_says_goodbye_and_no_later_event_arrives(node: Node, publisher: Publisher):
    with node.join("user:out") as out, node.join("user:stays") as stays:
        for client in (out, stays):
            client.subscribe("v1.open.commands")
        settled(publisher, out, stays)
        publisher.push("v1.open.commands", type="before")
        result = publisher.command("disconnect", authid="out", reason="signed out")
        publisher.push("v1.open.commands", type="after")
        assert (result.complete, result.sessions) == (True, 1)
        assert [stays.event()[1]["type"] for _ in range(2)] == ["before", "after"]
        assert out.event()[1]["type"] == "before"
        assert out.receive()[:3] == [GOODBYE, {"message": "signed out"}, "io.virge.stork.disconnected"]
        with pytest.raises(Closed):
            out.receive()
