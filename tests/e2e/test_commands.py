"""Commands at a real node: sessions and subscriptions end, in the order of the log, and the answer says so."""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq

from stork_node import Publisher
from stork_node.clients.node_asker import NodeAsker
from stork_node.protocol.commands.leases import Lease, encode_node_request
from tests.gateway import STORK, Deployment, Node, wait_for
from tests.wamp import GOODBYE, UNSUBSCRIBED, Client, Closed


@pytest.fixture
def publisher(many_ways: Deployment) -> Iterator[Publisher]:
    with many_ways.publisher() as publisher:
        yield publisher


@pytest.fixture
def asker(many_ways: Deployment) -> Iterator[NodeAsker]:
    with NodeAsker(many_ways.replay, "") as asker:
        wait_for(lambda: asker.ask().nodes, "the node to attach")
        yield asker


def settle(asker: NodeAsker, publisher: Publisher, sessions: int) -> None:
    """Wait until commands bind the sessions that have just joined: the node has an answer to a lease after them."""
    wait_for(lambda: asker.ask().nodes[0].sessions == sessions, f"a lease of {sessions} sessions")
    number = int(publisher.push("v1.both.settle", type="t", store=False).partition(":")[2])
    wait_for(lambda: asker.ask().nodes[0].position >= number, "the next lease")


def closed(client: Client) -> Closed:
    with pytest.raises(Closed) as caught:
        client.receive_all()
    return caught.value


def types(client: Client, number: int) -> list[str]:
    return [client.event()[1]["type"] for _ in range(number)]


def test_disconnect_ends_a_user_before_any_later_event(node: Node, publisher: Publisher, asker: NodeAsker):
    user = secrets.token_hex(4)
    with node.join(f"user:{user}") as out, node.join("user:stays") as stays:
        for client in (out, stays):
            client.subscribe("v1.open.commands")
        settle(asker, publisher, 2)
        publisher.push("v1.open.commands", type="before")
        result = publisher.command("disconnect", authid=user, reason="signed out")
        publisher.push("v1.open.commands", type="after")
        [met] = result.nodes.values()
        assert (result.complete, met) == (True, {"sessions": 1})
        assert types(stays, 2) == ["before", "after"]
        assert types(out, 1) == ["before"]
        assert out.receive()[:3] == [GOODBYE, {"message": "signed out"}, "io.virge.stork.disconnected"]
        assert closed(out).code == 1000
        with node.join(f"user:{user}") as again:  # it is no ban
            again.subscribe("v1.open.commands")
            publisher.push("v1.open.commands", type="later")
            assert types(again, 1) == ["later"]


def test_disconnect_by_topic_ends_whoever_is_subscribed(node: Node, publisher: Publisher, asker: NodeAsker):
    with node.join("user:exact") as exact, node.join("user:pattern") as pattern, node.join("user:stays") as stays:
        exact.subscribe("v1.open.ended")
        pattern.subscribe("v1.open.end", "prefix")
        stays.subscribe("v1.open.other")
        settle(asker, publisher, 3)
        assert publisher.command("disconnect", topic="v1.open.ended").sessions == 2
        assert [client.receive()[0] for client in (exact, pattern)] == [GOODBYE, GOODBYE]
        publisher.push("v1.open.other", type="t")
        assert types(stays, 1) == ["t"]


def test_unsubscribe_ends_what_could_get_the_topic(node: Node, publisher: Publisher, asker: NodeAsker):
    with node.join("user:one") as one, node.join("user:two") as two:
        ended = [
            one.subscribe("v1.open.taken"),
            one.subscribe("v1.open.ta", "prefix"),
            one.subscribe("v1.open.", "wildcard"),
        ]
        one.subscribe("v1.open.kept")
        two.subscribe("v1.open.taken")
        settle(asker, publisher, 2)
        result = publisher.command("unsubscribe", topic="v1.open.taken", authid="one", reason="orders.closed")
        publisher.push(["v1.open.taken", "v1.open.kept"], type="after")
        assert list(result.nodes.values()) == [{"sessions": 1, "subscriptions": 3}]
        told = [one.receive() for _ in range(3)]
        assert {message[2]["subscription"] for message in told} == set(ended)
        assert {(message[0], message[1], message[2]["reason"]) for message in told} == {
            (UNSUBSCRIBED, 0, "orders.closed")
        }
        assert types(one, 1) == types(two, 1) == ["after"]
        one.subscribe("v1.open.taken")
        publisher.push("v1.open.taken", type="again")
        assert types(one, 1) == ["again"]


def test_refresh_has_a_session_come_back(node: Node, publisher: Publisher, asker: NodeAsker):
    with node.join("user:refreshed") as client:
        settle(asker, publisher, 1)
        assert publisher.command("refresh", session=client.session_id).sessions == 1
        ending = closed(client)
        assert (ending.code, ending.reason) == (4001, "ask for a new ticket")


def test_a_session_that_has_just_joined_is_closed_or_ended(node: Node, publisher: Publisher):
    with node.join("user:young") as client:
        result = publisher.command("disconnect", authid="young")
        assert (result.complete, result.sessions) == (True, 1)
        assert closed(client).code in (4001, 1000)


def test_forget_has_the_next_subscription_ask_again(node: Node, publisher: Publisher):
    user = secrets.token_hex(4)
    with node.join(f"user:{user}") as client:

        def asked() -> int:
            client.unsubscribe(client.subscribe("v1.cached.yes"))
            return int(client.call("test.count", f"cached {user} yes"))

        assert [asked(), asked()] == [1, 1]
        assert list(publisher.command("forget", authid="somebody").nodes.values()) == [{"sessions": 0, "answers": 0}]
        assert asked() == 1
        assert list(publisher.command("forget", authid=user).nodes.values()) == [{"sessions": 0, "answers": 1}]
        assert asked() == 2


def test_a_receipt_says_what_became_of_a_push(many_ways: Deployment, node: Node, publisher: Publisher):
    with node.join("user:one") as one, node.join("user:two") as two, node.join("user:three") as three:
        for client in (one, two, three):
            client.subscribe("v1.open.receipt")
        position = publisher.push("v1.open.receipt", type="t", exclude=[three.session_id], receipt=True)
        assert list((position.receipt or {}).values()) == [{"sent": 2, "slow": 0, "cut": 0, "excluded": 1}]
        command = [*STORK, "push", "v1.open.receipt", "--type", "u", "--receipt", "--endpoint", many_ways.router]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, env=many_ways.environ).stdout)
        assert list(said["receipt"].values()) == [{"sent": 3, "slow": 0, "cut": 0, "excluded": 0}]
        assert [types(client, number) for client, number in ((one, 2), (three, 1))] == [["t", "u"], ["u"]]


def test_a_frozen_node_obeys_before_it_delivers(node: Node, publisher: Publisher, asker: NodeAsker):
    with node.join("user:frozen") as client:
        client.subscribe("v1.open.frozen")
        settle(asker, publisher, 1)
        [router] = node.workers("RouterController")
        os.kill(router, signal.SIGSTOP)
        try:
            pending = publisher.command("disconnect", authid="frozen", id="frozen", timeout_ms=100)
            publisher.push("v1.open.frozen", type="after")
        finally:
            os.kill(router, signal.SIGCONT)
        assert (pending.complete, list(pending.nodes.values())) == (False, ["pending"])
        assert client.receive()[0] == GOODBYE
        done = publisher.command("disconnect", authid="frozen", id="frozen")
        assert (done.complete, done.position, done.sessions) == (True, pending.position, 1)


def test_a_user_who_comes_back_before_the_answer_stays(many_ways: Deployment, node: Node, publisher: Publisher):
    """A second node, which says nothing, keeps the answer waiting."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as silent, node.join("user:back") as out:
        silent.linger = 1_000
        silent.connect(many_ways.replay)
        silent.send(encode_node_request(Lease("silent", "node-2")))
        silent.recv()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(publisher.command, "disconnect", authid="back", timeout_ms=20_000)
            assert closed(out).code in (4001, 1000)
            with node.join("user:back") as again:
                assert not asked.done()
                again.subscribe("v1.open.back")
                silent.send(encode_node_request(Lease("silent", "node-2", leaves=True)))
                result = asked.result()
                assert (result.complete, result.nodes.pop("node-2"), result.sessions) == (True, "gone", 1)
                publisher.push("v1.open.back", type="later")
                assert types(again, 1) == ["later"]


def test_operators_give_commands_and_see_the_nodes(many_ways: Deployment, node: Node, publisher: Publisher):
    with node.join("user:shell") as client:

        def run(*arguments: str) -> str:
            done = subprocess.run([*STORK, *arguments], capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout

        given = json.loads(run("disconnect", "--authid", "shell", "--json", "--endpoint", many_ways.router))
        assert closed(client).code in (4001, 1000)
        [(name, met)] = given["nodes"].items()
        assert met == {"sessions": 1}
        shown = run("status", "--server", many_ways.replay)
        assert name in shown
        [row] = json.loads(run("status", "--json", "--server", many_ways.replay))["nodes"]
        assert (row["node"], row["state"]) == (name, "attached")
