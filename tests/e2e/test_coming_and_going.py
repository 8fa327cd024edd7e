"""The memory of connections in the router process: little while they are idle, none when they are gone."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.crowd import JOINED, Crowd
from tests.gateway import TICKET, Deployment, wait_for
from tests.wamp import CHALLENGE

OF_A_CONNECTION = [
    "autobahn.wamp.types.SessionDetails",
    "autobahn.wamp.types.TransportDetails",
    "stork_crossbar.connections.gated.GatedWebSocket",
    "stork_node.guard.admitted.Admission",
    "stork_crossbar.personality.session.StorkSession",
    "twisted.internet.tcp.Server",
]
OF_A_HANDSHAKE = [
    "autobahn.wamp.types.HelloDetails",
    "autobahn.websocket.types.ConnectionRequest",
    "crossbar.router.auth.ticket.PendingAuthTicket",
    "functools.partial",
    "txaio.tx.Logger",
    "twisted.web.http.HTTPChannel",
    "twisted.web.server.Request",
]


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A node of the shipped application that counts its objects for a backend that asks."""
    folder = tmp_path_factory.mktemp("census")

    def count(config):
        shutil.copy(Path(__file__).with_name("census.py"), folder / "node/census.py")
        census = {"type": "class", "classname": "census.Census", "realm": "realm1", "role": "backend"}
        config["workers"][0]["components"].append(census)

    with Deployment(folder, change=count) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        asyncio.run(come_and_go(node, 20))  # what is made once, by the first
        yield node


async def join(node, number):
    crowd = Crowd(node.port, TICKET)
    await crowd.join(number, at_once=20)
    assert crowd.outcomes == {JOINED: number}
    return crowd


async def come_and_go(node, number):
    await (await join(node, number)).leave()


def census(node):
    with node.backend() as backend:
        return backend.call("test.census")


def more_of(names, now, before):
    """How many more there are; one or two may be those of the backend that asks, which has just come or gone."""
    return {name: more for name in names if (more := now.get(name, 0) - before.get(name, 0)) > 2}


def test_connections_that_come_and_go_leave_nothing_behind(counted):
    names = OF_A_CONNECTION + OF_A_HANDSHAKE
    before = census(counted)
    for _ in range(3):
        asyncio.run(come_and_go(counted, 100))
    left = {}

    def nothing_is_left():
        left.clear()
        left.update(more_of(names, census(counted), before))
        return not left

    try:
        wait_for(nothing_is_left, "the end of all that belongs to these connections")
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from None


def test_an_idle_connection_keeps_nothing_of_its_handshake(counted):
    async def count_while_connected():
        crowd = await join(counted, 100)
        during = await asyncio.to_thread(census, counted)
        await crowd.leave()
        return during

    before = census(counted)
    during = asyncio.run(count_while_connected())
    more = more_of(OF_A_CONNECTION + OF_A_HANDSHAKE, during, before)
    assert {name for name in OF_A_CONNECTION if more.get(name, 0) >= 98} == set(OF_A_CONNECTION)
    assert not {name: more[name] for name in OF_A_HANDSHAKE if name in more}


def test_a_backend_that_listens_hears_who_joins_and_who_leaves(shipped):
    with shipped.nodes[0].backend() as backend:
        for event in ("on_join", "on_leave"):
            backend.subscribe(f"wamp.session.{event}")
        with shipped.nodes[0].join(authid="joe") as joe:
            assert heard(backend)["authid"] == "joe"
        assert heard(backend) == joe.session_id


def heard(backend):
    return backend.event()[1]


def test_a_session_can_be_looked_up_after_it_has_forgotten_its_handshake(shipped):
    with shipped.nodes[0].backend() as backend, shipped.nodes[0].join(authid="joe") as joe:
        session = backend.call("wamp.session.get", joe.session_id)
        assert (session["authid"], session["authrole"], session["authmethod"]) == ("joe", "frontend", "ticket")
        assert session["transport"]["peer"].startswith("tcp4:127.0.0.1:")
        assert session["transport"]["http_headers_received"]["upgrade"] == "websocket"
        assert json.dumps(session)


def test_many_clients_that_offer_compression_are_served(shipped):
    for _ in range(3):
        with connect(shipped.nodes[0].url, subprotocols=[Subprotocol("wamp.2.json")], compression="deflate") as socket:
            socket.send(json.dumps([1, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]}]))
            assert json.loads(socket.recv(20))[0] == CHALLENGE


def test_an_event_overtakes_a_storm_of_joins(shipped):
    joined_before_it = []

    async def storm():
        crowd = Crowd(shipped.nodes[0].port, TICKET, topics=lambda number: ["v1.test.storm"] if not number else [])
        crowd.on_event = lambda number, payload: joined_before_it.append(crowd.outcomes[JOINED])
        await crowd.join_one()
        with shipped.publisher() as publisher:
            # Connected before the storm: only the event itself races with it.
            await asyncio.to_thread(publisher.push, "v1.test.calm", type="connects")
            storming = asyncio.create_task(crowd.join(400, at_once=400))
            while crowd.outcomes[JOINED] < 2:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(publisher.push, "v1.test.storm", type="overtakes")
        await storming
        assert crowd.outcomes == {JOINED: 401}
        await crowd.leave()

    asyncio.run(storm())
    assert len(joined_before_it) == 1
    assert joined_before_it[0] < 401
