"""Nodes that miss something: once and in order, or told. Real nodes; the publish server is real or scripted."""

import itertools
import os
import shutil
import signal
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from stork_node.protocol.positions import Position
from tests import lies
from tests.e2e.operator_port import get, samples, value
from tests.gateway import ROOT, Deployment, Node, wait_for
from tests.link import Link
from tests.scripted_publish_server import ScriptedPublishServer
from tests.wamp import Client, Closed, Refused

RECOVER = "io.virge.stork.recover"
TOPIC = "v1.test.1"
EPOCHS = itertools.count(1)


@pytest.fixture
def deployment(tmp_path):
    with Deployment(tmp_path) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """A scripted publish server, and the node that follows it."""
    with (
        Deployment(tmp_path_factory.mktemp("scripted")) as deployment,
        ScriptedPublishServer(deployment.pub, deployment.replay) as server,
    ):
        yield server, deployment.start_node()


@pytest.fixture
def scripted(followed):
    """The scripted server, in an epoch of the test's own without pushes."""
    server, node = followed
    server.answers, server.lie = True, None
    server.begin(f"epoch{next(EPOCHS)}", "run1")
    wait_for(lambda: get(node.operator_url + "ready")[1].get("epoch") == server.epoch, "a node in the new epoch")
    return server


@pytest.fixture
def node(followed):
    return followed[1]


@pytest.fixture
def gateway(deployment):
    deployment.start_publish_server()
    deployment.start_node("one")
    return deployment


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two nodes and a publish server, which tests stop, and leave running."""
    with Deployment(tmp_path_factory.mktemp("pair")) as deployment:
        deployment.start_publish_server()
        deployment.start_node("one")
        deployment.start_node("two")
        yield deployment


def subscriber(node: Node, *topics: str) -> Client:
    """A client that has subscribed, and asked where it is: what is pushed from now on it gets."""
    client = node.join()
    for topic in topics or (TOPIC,):
        client.subscribe(topic)
    recover(client, dict.fromkeys(topics or (TOPIC,)))
    return client


def recover(client, positions):
    return client.call(RECOVER, positions)


def recover_when_ready(client, positions):
    """Recover like a client: after not_ready, try again."""

    def answer():
        try:
            return recover(client, positions)
        except Refused as refused:
            if refused.uri != "io.virge.stork.not_ready":
                raise
            return None

    return wait_for(answer, "an answer to recover")


def data_of(client, number):
    return [client.event()[1]["data"] for _ in range(number)]


def wait_until_closed(client) -> Closed:
    with pytest.raises(Closed) as closed:
        client.receive_all()
    return closed.value


def push(publisher, numbers, topic=TOPIC):
    return [publisher.push(topic, type="n", data=n) for n in numbers]


# -- recovery ----------------------------------------------------------------------------------------------------------


def test_a_client_that_was_away_gets_what_it_missed_from_either_node(shipped):
    one, two = shipped.nodes
    with subscriber(one, "v1.test.away") as client, shipped.publisher() as publisher:
        before = publisher.push("v1.test.away", type="n", data=0)
        assert client.event()[2]["position"] == before
    with shipped.publisher() as publisher:
        positions = push(publisher, range(1, 101), "v1.test.away")
    for node in (one, two):
        with subscriber(node, "v1.test.away") as client:
            [answer] = recover(client, {"v1.test.away": before}).values()
            assert answer["recovered"] is True
            assert [event["data"] for event in answer["events"]] == list(range(1, 101))
            assert [event["position"] for event in answer["events"]] == positions
            assert set(answer["events"][0]) == {"position", "type", "data", "timestamp"}
            assert Position.parse(answer["position"]) >= Position.parse(positions[-1])


def test_only_topics_that_the_session_receives_now_are_answered(shipped):
    with subscriber(shipped.nodes[0], "v1.test.a") as client:
        answer = recover(client, {"v1.test.a": None, "v1.test.b": None})
        assert answer.keys() == {"v1.test.a"}
        assert (answer["v1.test.a"]["recovered"], answer["v1.test.a"]["events"]) == (False, [])
        subscription = client.subscribe("v1.test.b")
        assert recover(client, {"v1.test.b": None}).keys() == {"v1.test.b"}
        client.unsubscribe(subscription)
        assert recover(client, {"v1.test.b": None}) == {}


@pytest.mark.parametrize("args", [[], [5], [{}, {}], [{f"v1.test.{n}": None for n in range(1001)}]])
def test_wrong_arguments_of_recover_are_an_error_with_a_name(shipped, args):
    with shipped.nodes[0].join() as client:
        with pytest.raises(Refused) as refused:
            client.call(RECOVER, *args)
        assert refused.value.uri == "wamp.error.invalid_argument"


def test_a_position_ahead_of_the_node_is_waited_for_and_then_not_ready(node, scripted):
    with subscriber(node) as client:
        with pytest.raises(Refused) as refused:
            recover(client, {TOPIC: f"{scripted.epoch}:1"})
        assert refused.value.uri == "io.virge.stork.not_ready"
        client.send(48, 1_000_000, {}, RECOVER, [{TOPIC: f"{scripted.epoch}:1"}])
        scripted.push(TOPIC, 1)
        answers = [client.receive(), client.receive()]
        result = next(message for message in answers if message[0] == 50)
        assert result[3] == [{TOPIC: {"recovered": True, "position": f"{scripted.epoch}:1", "events": []}}]


def test_recover_as_soon_as_the_port_is_open_says_nothing_wrong(gateway):
    with gateway.publisher() as publisher:
        positions = push(publisher, range(50))
        late = gateway.start_node("late", wait=False)
        client = wait_for(lambda: try_to_join(late), "a client on the node that starts")
        client.subscribe(TOPIC)
        [answer] = recover_when_ready(client, {TOPIC: positions[0]}).values()
        assert [event["data"] for event in answer["events"]] == list(range(1, 50))
        assert answer["recovered"] is True
        client.close()


def try_to_join(node: Node) -> Client | None:
    try:
        return node.join()
    except (OSError, Closed, InvalidStatus):  # Crossbar adds /ws some milliseconds after its port is open
        return None


def test_a_quiet_topic_recovers_after_a_short_cut_without_its_history(tmp_path):
    def short(config):
        config["workers"][0]["components"][1]["extra"] |= {"history": {"*": {"seconds": 1}}, "beat_s": 0.5}

    with Deployment(tmp_path, change=short) as deployment, deployment.publisher() as publisher:
        deployment.start_publish_server()
        node = deployment.start_node()
        with subscriber(node) as client:
            client.subscribe("io.virge.stork.beat")
            [old] = push(publisher, [0])
            assert client.event()[2]["position"] == old
            push(publisher, range(10), "v1.test.other")

            def gone():
                return recover(client, {TOPIC: old_start(old)})[TOPIC]["recovered"] is False

            wait_for(gone, "a history that is over")
            beats = [client.receive() for _ in range(2)]
            beat = next(message[5]["position"] for message in beats if message[0] == 36)
        with subscriber(node) as client:
            assert recover(client, {TOPIC: beat})[TOPIC] == {"recovered": True, "position": beat, "events": []}
            assert recover(client, {TOPIC: old})[TOPIC]["recovered"] is True


def old_start(position):
    """The position before the first push of all."""
    return f"{Position.parse(position).epoch}:0"


def test_a_subscriber_that_was_cut_before_its_first_event_gets_it(shipped):
    topic, node = "v1.test.before", shipped.nodes[0]
    with subscriber(node, topic) as client:
        position = recover(client, {topic: None})[topic]["position"]
    with shipped.publisher() as publisher:
        push(publisher, [1], topic)
    with subscriber(node, topic) as client:
        assert [event["data"] for event in recover(client, {topic: position})[topic]["events"]] == [1]


def test_an_erasure_reaches_the_histories(node, scripted):
    with subscriber(node) as client:
        scripted.push(TOPIC, "secret")
        assert data_of(client, 1) == ["secret"]
        scripted.erase(TOPIC)
        scripted.push(TOPIC, "after")
        assert data_of(client, 1) == ["after"]
        assert recover(client, {TOPIC: f"{scripted.epoch}:0"})[TOPIC]["recovered"] is False
        assert [event["data"] for event in recover(client, {TOPIC: f"{scripted.epoch}:2"})[TOPIC]["events"]] == [
            "after"
        ]


# -- gaps and breaks ---------------------------------------------------------------------------------------------------


def test_what_the_bus_has_lost_is_replayed_in_order(node, scripted):
    with subscriber(node) as client:
        scripted.push(TOPIC, 0)
        for number in range(1, 250):
            scripted.store(TOPIC, number)
        scripted.push(TOPIC, 250)
        assert data_of(client, 251) == list(range(251))


def test_a_lost_answer_of_replay_is_asked_for_again(node, scripted):
    with subscriber(node) as client:
        scripted.answers = False
        asked = len(scripted.requests)
        scripted.store(TOPIC, 0)
        scripted.push(TOPIC, 1)
        wait_for(lambda: len(scripted.requests) > asked, "a request")
        scripted.answers = True
        assert data_of(client, 2) == [0, 1]


def test_a_node_that_gets_no_replay_is_not_ready(node, scripted):
    ready = node.operator_url + "ready"
    scripted.answers = False
    scripted.store(TOPIC)
    status, said = wait_for(lambda: get(ready)[0] == 503 and get(ready), "a node that is not ready")
    assert status == 503
    assert f"pushes are missing, and {scripted.replay} has not replayed them for" in said["problems"][0]
    scripted.answers = True
    wait_for(lambda: get(ready)[0] == 200, "a node that is ready again")


def test_a_break_closes_subscribers_with_4010_and_recover_answers_false(node, scripted):
    bystander = node.join()
    with subscriber(node) as client:
        scripted.push(TOPIC, 0)
        assert data_of(client, 1) == [0]
        for number in range(1, 4):
            scripted.store(TOPIC, number)
        scripted.forget(2)
        scripted.push(TOPIC, 4)
        closed = wait_until_closed(client)
        assert (closed.code, closed.reason) == (4010, "pushes were missed")
    with subscriber(node) as client:
        assert recover(client, {TOPIC: f"{scripted.epoch}:1"})[TOPIC] == {
            "recovered": False,
            "position": f"{scripted.epoch}:5",
            "events": [],
        }
        scripted.push(TOPIC, 5)
        assert data_of(client, 1) == [5]
    assert bystander.subscribe(TOPIC)
    bystander.close()
    node.wait_for_line(f"a break: pushes between {scripted.epoch}:1 and {scripted.epoch}:2 are lost")


def test_another_epoch_is_a_break(node, scripted):
    with subscriber(node) as client:
        scripted.push(TOPIC, 0)
        assert data_of(client, 1) == [0]
        before = scripted.epoch
        scripted.begin(f"after-{before}", "run2")
        assert wait_until_closed(client).code == 4010
    with subscriber(node) as client:
        assert recover(client, {TOPIC: f"{before}:1"})[TOPIC]["position"] == f"after-{before}:0"


def test_frames_of_a_second_publish_server_are_not_delivered(node, scripted):
    with subscriber(node) as client:
        foreign = scripted.store(TOPIC, "foreign").replace(
            b'"%b","sequence":1' % scripted.epoch.encode(), b'"intruder","sequence":9'
        )
        scripted.frames.clear()
        for number in range(5):
            scripted.send(foreign)
            scripted.push(TOPIC, number)
        assert data_of(client, 5) == list(range(5))

        before = len(node.log)

        def told():
            scripted.send(foreign)
            return "is there a second publish server?" in node.log[before:]

        wait_for(told, "a warning")
        scripted.send(foreign)
        problem = "frames of another epoch on the bus: is there a second publish server?"
        wait_for(lambda: problem in get(node.operator_url + "ready")[1]["problems"], "a node that is not ready")
        scripted.push(TOPIC, "after")
        assert data_of(client, 1) == ["after"]


def test_a_publish_server_that_is_killed_and_comes_back_loses_nothing(pair):
    clients = [subscriber(node) for node in pair.nodes]
    with pair.publisher(timeout_ms=20_000) as publisher:
        push(publisher, range(20))
        pair.publish_server.stop(signal.SIGKILL)
        pair.start_publish_server()
        push(publisher, range(20, 40))
    for client in clients:
        assert data_of(client, 40) == list(range(40))
        client.close()


def test_a_frozen_node_catches_up_and_a_client_ahead_of_it_waits(pair):
    frozen, current = pair.nodes
    with subscriber(frozen) as client, subscriber(current) as other, pair.publisher() as publisher:
        push(publisher, [0])
        assert data_of(client, 1) == data_of(other, 1) == [0]
        [router] = frozen.workers("RouterController")
        moved = frozen.join()
        moved.subscribe(TOPIC)
        os.kill(router, signal.SIGSTOP)
        try:
            positions = push(publisher, range(1, 200))
            assert data_of(other, 199) == list(range(1, 200))
            moved.send(48, 1_000_000, {}, RECOVER, [{TOPIC: positions[-1]}])
        finally:
            os.kill(router, signal.SIGCONT)
        assert data_of(client, 199) == list(range(1, 200))
        while (message := moved.receive())[0] != 50:
            assert message[0] == 36
        assert message[3][0][TOPIC]["events"] == []
        assert Position.parse(message[3][0][TOPIC]["position"]) >= Position.parse(positions[-1])
        moved.close()


@pytest.mark.parametrize("reset", [False, True])
def test_a_link_that_was_cut_loses_nothing(tmp_path, reset):
    with Deployment(tmp_path) as deployment, Link(deployment.pub) as bus, Link(deployment.replay) as replay:
        behind_links(deployment, bus, replay)
        deployment.start_publish_server()
        node = deployment.start_node()
        with subscriber(node) as client, deployment.publisher() as publisher:
            push(publisher, range(10))
            assert data_of(client, 10) == list(range(10))
            for link in (bus, replay):
                link.cut(reset=reset)
            push(publisher, range(10, 300))
            for link in (bus, replay):
                link.mend()
            assert data_of(client, 290) == list(range(10, 300))


def test_a_link_that_was_cut_for_longer_than_the_log_reaches_is_a_break(tmp_path):
    with Deployment(tmp_path) as deployment, Link(deployment.pub) as bus, Link(deployment.replay) as replay:
        behind_links(deployment, bus, replay)
        arguments = ["--retention-bytes", "40000"]
        deployment.start_publish_server(*arguments)
        node = deployment.start_node()
        with subscriber(node) as client, deployment.publisher() as publisher:
            push(publisher, [0])
            assert data_of(client, 1) == [0]
            for link in (bus, replay):
                link.cut(reset=True)
            publisher.push_many({"topics": [TOPIC], "type": "n", "data": "x" * 1000} for _ in range(500))
            first = tmp_path / "data" / "log" / "0000000000000001.segment"
            wait_for(lambda: not first.exists(), "a log without its first pushes")
            for link in (bus, replay):
                link.mend()
            node.wait_for_line("a break: pushes between")
            assert wait_until_closed(client).code == 4010


def behind_links(deployment, bus, replay):
    """Nodes reach the publish server through the links."""

    def change(config):
        config["workers"][0]["components"][1]["extra"] |= {"bus": bus.endpoint, "replay": replay.endpoint}

    deployment._change = change


def test_an_older_copy_of_the_log_begins_a_new_epoch_and_tells_everybody(gateway, tmp_path):
    [node] = gateway.nodes
    with gateway.publisher(timeout_ms=20_000) as publisher:
        with subscriber(node) as client:
            push(publisher, range(5))
            assert data_of(client, 5) == list(range(5))
            gateway.publish_server.stop()
            shutil.copytree(tmp_path / "data", tmp_path / "copy")
            gateway.start_publish_server()
            [position] = push(publisher, ["lost"])
            assert data_of(client, 1) == ["lost"]
            gateway.publish_server.stop()
            shutil.rmtree(tmp_path / "data")
            shutil.copytree(tmp_path / "copy", tmp_path / "data")
            gateway.start_publish_server()
            assert wait_until_closed(client).code == 4010
        with subscriber(node) as client:
            [answer] = recover_when_ready(client, {TOPIC: position}).values()
            assert answer["recovered"] is False
            assert Position.parse(answer["position"]).epoch != Position.parse(position).epoch
            push(publisher, ["new"])
            assert data_of(client, 1) == ["new"]


def test_a_push_to_two_topics_comes_once_for_each_subscription(many_ways):
    [node] = many_ways.nodes
    with node.join("user:joe") as client, many_ways.publisher() as publisher:
        ids = [client.subscribe("v1.open.1"), client.subscribe("v1.open.2"), client.subscribe("v1.open.", "prefix")]
        answer = recover(client, {"v1.open.1": None, "v1.open.2": None, "v1.open.3": None})
        before = answer["v1.open.3"]["position"]
        position = publisher.push(["v1.open.1", "v1.open.2"], type="t")
        events = []
        while len(events) < 4:
            subscription, _, details = client.event()
            if details["position"] == position:  # the application pushes, too
                events.append(subscription)
        assert sorted(events) == sorted([*ids, ids[2]])
        answer = recover(client, {"v1.open.1": before, "v1.open.2": before, "v1.open.3": before})
        found = [[event["position"] for event in answer[f"v1.open.{n}"]["events"]].count(position) for n in (1, 2, 3)]
        assert found == [1, 1, 0]


FAILING_RELAY = """
from stork_components.relay import Relay

class FailingRelay(Relay):
    async def start(self):
        await super().start()
        take_frames = self._following.take_frames

        def fail(messages):
            if any(b"v1.test.fault" in message[0] for message in messages):
                raise RuntimeError("a fault")
            take_frames(messages)

        self._following.take_frames = fail
"""


def test_a_relay_that_fails_ends_the_node(tmp_path):
    """The relay does not skip a frame that it cannot read: closed connections tell all clients."""

    def change(config):
        config["workers"][0]["components"][1]["classname"] = "app.FailingRelay"

    app = (ROOT / ".crossbar" / "app.py").read_text() + FAILING_RELAY
    with Deployment(tmp_path, app=app, change=change) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with subscriber(node) as client, deployment.publisher() as publisher:
            push(publisher, [1])
            assert data_of(client, 1) == [1]
            push(publisher, [2], "v1.test.fault")
            assert wait_until_closed(client).code == 1006
        wait_for(lambda: node.popen.poll() is not None, "the end of the node")
        assert node.popen.returncode == 1
        assert "the relay failed: RuntimeError('a fault')" in node.log


def test_the_port_opens_before_the_publish_server_is_there(deployment):
    node = deployment.start_node()
    node.wait_for_line("nothing heard from the publish server at")
    with node.join() as client:
        client.subscribe(TOPIC)
        with pytest.raises(Refused) as refused:
            recover(client, {TOPIC: None})
        assert refused.value.uri == "io.virge.stork.not_ready"
        deployment.start_publish_server()
        assert recover_when_ready(client, {TOPIC: None})[TOPIC]["recovered"] is False
        with deployment.publisher() as publisher:
            push(publisher, [1])
        assert data_of(client, 1) == [1]


# -- a publish server that lies ----------------------------------------------------------------------------------------


def memory(pid: int) -> int:
    """Bytes that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def place(server: ScriptedPublishServer) -> lies.Place:
    return lies.Place(server.epoch, server.run, server.tail)


def follows(node: Node, server: ScriptedPublishServer) -> None:
    """The server is honest now: the node comes to its tail, and delivers."""
    server.lie = None
    wait_for(lambda: figure(node, "stork_relay_caught_up") == 1, "a node that has caught up")
    wait_for(lambda: figure(node, "stork_relay_position") == server.tail, "a node at the tail")
    with subscriber(node, "v1.test.honest") as client:
        server.push("v1.test.honest", "afterwards")
        assert data_of(client, 1) == ["afterwards"]


def figure(node: Node, name: str) -> float:
    return value(samples(node), name)


def test_an_invalid_bus_message_is_refused_and_changes_nothing(node, scripted):
    scripted.push(TOPIC, "before")
    follows(node, scripted)
    [router], before = node.workers("RouterController"), figure(node, "stork_relay_refused_total")
    asked, size = len(scripted.requests), memory(router)
    messages = dict(lies.unreadable(place(scripted)))
    for message in messages.values():
        scripted.send(*message)
    wait_for(lambda: figure(node, "stork_relay_refused_total") == before + len(messages), "all of them refused")
    follows(node, scripted)
    assert len(scripted.requests) == asked
    assert memory(router) - size < 100_000_000
    assert node.workers("RouterController") == [router]
    assert node.log.count("is refused: ") < 50
    assert "Traceback" not in node.log


@pytest.mark.parametrize("name", list(dict(lies.misleading(lies.Place("", "", 0)))))
def test_after_lies_on_the_bus_the_node_follows(node, scripted, name):
    scripted.push(TOPIC, "before")
    follows(node, scripted)
    for message in dict(lies.misleading(place(scripted)))[name]:
        scripted.send(*message)
    follows(node, scripted)


# Each is repeated after two seconds; tests/unit/test_lying_publish_server.py has them all.
@pytest.mark.parametrize("name", ["noise", "refused at length", "a run of 1 MB", "2^53", "frames in another order"])
def test_an_invalid_answer_is_refused_and_the_node_follows_afterwards(node, scripted, name):
    before = figure(node, "stork_relay_refused_total")
    scripted.lie = dict(lies.unbelievable(place(scripted)))[name]
    scripted.store(TOPIC, "asked for")
    wait_for(lambda: figure(node, "stork_relay_refused_total") > before, "a refusal")
    follows(node, scripted)


@pytest.mark.parametrize("name", list(dict(lies.harmful(lies.Place("", "", 0)))))
def test_after_answers_that_had_to_be_believed_the_node_follows(node, scripted, name):
    [router] = node.workers("RouterController")
    size, asked = memory(router), len(scripted.requests)
    scripted.lie = dict(lies.harmful(place(scripted)))[name]
    scripted.store(TOPIC, "asked for")
    wait_for(lambda: len(scripted.requests) > asked, "a request")
    for _ in range(20):
        scripted.send(place(scripted).heartbeat(scripted.tail + 1))
    follows(node, scripted)
    assert memory(router) - size < 200_000_000
    assert node.workers("RouterController") == [router]
