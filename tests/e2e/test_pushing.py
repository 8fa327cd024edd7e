import json
import socket

import pytest
import zmq

from stork_node import PushRefused
from stork_node.protocol.positions import Position
from tests.gateway import Deployment, wait_for
from tests.scripted_publish_server import ScriptedPublishServer

GOOD = {"topics": ["v1.test.refused"], "type": "t"}


def test_each_subscriber_on_either_node_gets_each_push_once_and_in_order(shipped):
    one, two = shipped.nodes
    clients = [one.join(authid="a"), one.join(authid="b"), two.join(authid="c")]
    for client in clients:
        client.subscribe("v1.test.order")
    with shipped.publisher() as publisher:
        positions = [publisher.push(["v1.test.order"], type="n", data=n) for n in range(50)]
        positions += publisher.push_many({"topics": ["v1.test.order"], "type": "n", "data": n} for n in range(50, 250))
    for client in clients:
        events = [client.event() for _ in range(250)]
        assert [event["data"] for _, event, _ in events] == list(range(250))
        assert [details["position"] for _, _, details in events] == positions
        client.close()


def test_an_event_has_type_data_timestamp_and_position(shipped):
    with shipped.nodes[0].join() as client, shipped.publisher() as publisher:
        client.subscribe("v1.test.shape")
        data = {"text": "ä€😀\u2028", "numbers": [0, -1, 1.5, 2**53, 2**64 - 1], "nothing": None}
        position = publisher.push("v1.test.shape", type="order_paid", data=data, timestamp="2026-01-31T12:00:00Z")
        _, event, details = client.event()
        assert event == {"type": "order_paid", "data": data, "timestamp": "2026-01-31T12:00:00Z"}
        assert details == {"position": position}
        publisher.push("v1.test.shape", type="now")
        _, event, _ = client.event()
        assert event["data"] is None
        assert event["timestamp"].endswith("Z")


def test_the_event_does_not_tell_who_published(shipped):
    with shipped.nodes[0].join() as client, shipped.publisher() as publisher:
        client.subscribe("v1.test.who")
        publisher.push("v1.test.who", type="t")
        message = client.receive()
        assert message[0] == 36
        assert message[3] == {}


def test_excluded_sessions_get_nothing(shipped):
    with shipped.nodes[0].join() as sender, shipped.nodes[1].join() as other, shipped.publisher() as publisher:
        for client in (sender, other):
            client.subscribe("v1.test.typing")
        publisher.push("v1.test.typing", type="typing", exclude=[sender.session_id], store=False)
        publisher.push("v1.test.typing", type="barrier")
        assert other.event()[1]["type"] == "typing"
        assert sender.event()[1]["type"] == "barrier"


def test_a_push_to_several_topics_reaches_each_and_patterns_too(many_ways):
    [node] = many_ways.nodes
    with node.join("user:joe") as client, many_ways.publisher() as publisher:
        subscriptions = [client.subscribe("v1.open.1"), client.subscribe("v1.open.2")]
        prefix = client.subscribe("v1.open.", "prefix")
        position = publisher.push(["v1.open.1", "v1.open.2"], type="t")
        events = []
        while len(events) < 4:
            subscription, _, details = client.event()
            if details["position"] == position:
                events.append(subscription)
        assert sorted(events) == sorted([*subscriptions, prefix, prefix])


def test_a_pattern_recovers_what_its_topics_missed(many_ways):
    [node] = many_ways.nodes
    with many_ways.publisher() as publisher, node.join("user:joe") as joe:
        joe.subscribe("v1.open.", match="prefix")
        begin = publisher.push("v1.open.first", type="t", data=0)
        wait_for(lambda: joe.event()[2]["position"] == begin, "the first event")
        for number in range(1, 4):
            last = publisher.push([f"v1.open.new{number}", f"v1.open.other{number}"], type="t", data=number)
        wait_for(lambda: joe.event()[2]["position"] == last, "the last event")
        asked = {"v1.open.": begin}
        answer = joe.call("io.virge.stork.recover", asked, patterns={"v1.open.": "prefix"})["v1.open."]
        events = [each for each in answer["events"] if each["type"] == "t"]  # the application pushes, too
        assert (answer["recovered"], [each["data"] for each in events]) == (True, [1, 1, 2, 2, 3, 3])
        assert {each["topic"] for each in events} == {
            f"v1.open.{kind}{n}" for kind in ("new", "other") for n in (1, 2, 3)
        }
        # Only just the pattern that the session has.
        assert joe.call("io.virge.stork.recover", {"v1.": begin}, patterns={"v1.": "prefix"}) == {}
        assert joe.call("io.virge.stork.recover", {"v1.open.": begin}, patterns={"v1.open.": "wildcard"}) == {}


def test_a_push_to_1000_topics_reaches_a_pattern_1000_times_in_order(many_ways):
    [node] = many_ways.nodes
    topics = [f"v1.open.many{number}" for number in range(1000)]
    with node.join("user:joe") as client, many_ways.publisher() as publisher:
        client.subscribe("v1.open.many", "prefix")
        positions = [publisher.push(topics, type="t") for _ in range(3)]
        events = [client.receive() for _ in range(3000)]
        assert [(event[3]["topic"], event[5]["position"]) for event in events] == [
            (topic, position) for position in positions for topic in topics
        ]


def test_an_id_seen_again_gets_the_first_position_and_no_delivery(shipped):
    with shipped.nodes[0].join() as client, shipped.publisher() as publisher:
        client.subscribe("v1.test.once")
        first = publisher.push("v1.test.once", type="t", data=1, id="order-42")
        again = publisher.push("v1.test.once", type="t", data=1, id="order-42")
        assert (again, first.duplicate, again.duplicate) == (first, False, True)
        with pytest.raises(PushRefused, match=r"\(id_reused\): id: 'order-42' is that of another push"):
            publisher.push("v1.test.once", type="t", data=2, id="order-42")
        publisher.push("v1.test.once", type="t", data=3)
        assert [client.event()[1]["data"] for _ in range(2)] == [1, 3]


def test_a_push_to_a_feed_that_no_application_declares_has_a_warning(shipped):
    with shipped.publisher() as publisher:
        warning = "no application declares the feed v1.tset: no client can subscribe to it"
        wait_for(lambda: publisher.push("v1.tset.1", type="t").warning == warning, "the node has said its feeds")
        assert publisher.push("v1.test.1", type="t").warning == ""
    assert shipped.publish_server.log.count(f"reaches nobody: {warning}") == 1


def test_positions_grow_by_one_and_the_tail_can_be_asked_for(shipped):
    with shipped.publisher() as publisher:
        before = Position.parse(publisher.position())
        after = Position.parse(publisher.push("v1.test.position", type="t"))
        assert after == Position(before.epoch, before.sequence + 1)
        assert publisher.position() == str(after)


def test_a_refused_push_is_refused_whole_and_the_next_one_goes_on(shipped):
    with shipped.nodes[0].join() as client, shipped.publisher() as publisher:
        client.subscribe("v1.test.refused")
        before = publisher.position()
        with zmq.Context() as context, context.socket(zmq.REQ) as request:
            request.connect(shipped.router)
            request.rcvtimeo = 10_000
            request.send_json({**GOOD, "topics": ["v1.test.refused", "not a topic"]})
            answer = request.recv_json()
            assert (answer["ok"], answer["error"]) == (False, "invalid_push")
            assert "not a topic" in answer["reason"]
            assert publisher.position() == before
            request.send_json({**GOOD, "data": "good"})
            assert request.recv_json()["ok"] is True
        assert client.event()[1]["data"] == "good"


def test_garbage_on_pull_is_counted_logged_once_and_stops_nothing(shipped):
    with shipped.nodes[0].join() as client, zmq.Context() as context, context.socket(zmq.PUSH) as push:
        client.subscribe("v1.test.garbage")
        push.connect(shipped.pull)
        for _ in range(200):
            push.send(b"\xff\xfe")
        push.send(b'O:8:"stdClass":1:{s:5:"topic";s:9:"v1.test.1";}')
        push.send_multipart([b"a", b"b"])
        push.send(json.dumps({"topics": ["v1.test.garbage"], "type": "good"}).encode())
        assert client.event()[1]["type"] == "good"
    log = shipped.publish_server.log
    assert log.count("UTF-8") < 10
    wait_for(lambda: "serialize()" in shipped.publish_server.log, "PHP's serialize() named in the log")


def test_what_is_not_zmq_at_all_stops_nothing(shipped):
    for endpoint in (shipped.pull, shipped.router, shipped.pub):
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
    with shipped.publisher() as publisher:
        assert publisher.push("v1.test.1", type="t")


def test_a_publisher_is_told_why_its_push_is_refused(shipped):
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.connect(shipped.router)
        dealer.rcvtimeo = 10_000
        dealer.send(b'{"topics": ["v1.test.1"], "type": "t", "typo": 1}')
        answer = json.loads(dealer.recv())
        assert answer["error"] == "invalid_push"
        assert "typo" in answer["reason"]
    assert issubclass(PushRefused, Exception)


def test_a_relay_refuses_what_is_no_frame_of_its_protocol_and_goes_on(tmp_path):
    with Deployment(tmp_path) as deployment, ScriptedPublishServer(deployment.pub, deployment.replay) as server:
        node = deployment.start_node()
        with node.join() as client:
            client.subscribe("v1.test.1")
            server.push("v1.test.1", "first")
            assert client.event()[1]["data"] == "first"
            for _ in range(100):
                server.send(b"stork 7 push {}\n{}")
            server.send(b"stork garbage")
            server.send(b"stork 1", b"push")
            server.push("v1.test.1", "second")
            assert client.event()[1]["data"] == "second"
        assert node.log.count("protocol number 7") == 1


@pytest.mark.parametrize("secret", ["deployment-secret"])
def test_with_a_bus_secret_only_its_holders_push_and_follow(tmp_path, secret):
    with Deployment(tmp_path, environ={"STORK_BUS_SECRET": secret}) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join() as client, deployment.publisher(secret=secret) as publisher:
            client.subscribe("v1.test.1")
            publisher.push("v1.test.1", type="secret")
            assert client.event()[1]["type"] == "secret"
        with zmq.Context() as context, context.socket(zmq.REQ) as stranger:
            stranger.connect(deployment.router)
            stranger.rcvtimeo, stranger.linger = 1_000, 0
            stranger.send_json(GOOD)
            with pytest.raises(zmq.Again):
                stranger.recv()
