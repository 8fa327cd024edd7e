"""Recovery of Pusher clients, with a real relay and by hand: what was missed, then live, in one sequence."""

import json
from typing import Any

import pytest
from twisted.internet import defer

from stork_components.pusher.resuming import Resuming
from stork_crossbar.limits.session_limits import held_by
from stork_node.errors import CallError
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.push import Push
from stork_node.pusher.channel_table import ChannelTable
from tests.components import test_relay_commands
from tests.components.test_pusher_sockets import Hub

inside, relay = test_relay_commands.inside, test_relay_commands.relay

STAMP = "2026-01-31T12:00:00.000Z"


def push(number: int, topic: str = "pusher.a.1", **more: Any) -> Push:
    return Push((topic,), f"n{number}", b"%d" % number, STAMP, **more)


class Node:
    def __init__(self, reactor: Any, relay: Any) -> None:
        self.relay, self.reactor, self.tail = relay, reactor, 0
        self.hub = Hub(reactor)
        self.resuming = Resuming(reactor, singleton(ChannelTable), lambda: relay)
        self.hub.sockets.resume = self.resuming.begin

    def push(self, number: int, **more: Any) -> None:
        for _ in range(number):
            self.tail += 1
            self.relay.hear(self.tail, push(self.tail, **more))

    def connect(self) -> Any:
        client = self.hub.connect()
        client.frames()
        return client

    def asks(self, client: Any, channel: str = "a.1", **more: Any) -> list[Any]:
        frames = client.says("pusher:subscribe", data={"channel": channel, **more})
        self.reactor.advance(0.1)
        return [short(frame) for frame in frames + client.frames()]


def short(frame: Any) -> Any:
    if frame["event"] == "pusher_internal:subscription_succeeded":
        told = json.loads(frame["data"])
        return told["recovered"], told["position"]
    return frame["event"]


@pytest.fixture
def node(inside, relay):
    relay.begin()
    return Node(inside.reactor, relay)


def test_the_missed_events_come_first_and_then_the_live_ones(node):
    node.push(3)
    client = node.connect()
    assert node.asks(client, since="e:1") == [(True, "e:1"), "n2", "n3"]
    node.push(1)
    [event] = client.frames()
    assert (event["event"], event["position"]) == ("n4", "e:4")


@pytest.mark.parametrize("since", [None, "x:1", "e:99x", "y:9"])
def test_without_a_position_of_this_epoch_a_client_is_told_the_nodes(node, since):
    node.push(3)
    client = node.connect()
    assert node.asks(client, since=since) == [(False, "e:3")]
    node.push(1)
    assert [short(frame) for frame in client.frames()] == ["n4"]


def test_a_client_that_missed_nothing_is_at_the_nodes_position(node):
    node.push(2)
    node.push(2, topic="pusher.a.2")
    assert node.asks(node.connect(), since="e:2") == [(True, "e:4")]


def test_pushes_that_were_not_for_an_earlier_socket_stay_out(node):
    client = node.connect()
    number = client.protocol.socket._session_id
    node.push(1)
    node.push(1, exclude=(7,))
    node.push(1, exclude=(number,))
    node.push(1, exclude=(8,))
    sessions = ["7.123", "nonsense", "9.1"]
    assert node.asks(client, since="e:0", sessions=sessions) == [(True, "e:0"), "n1", "n4"]


def test_names_of_the_protocol_stay_out(node):
    node.relay.hear(1, Push(("pusher.a.1",), "pusher:error", b"1", STAMP))
    assert node.asks(node.connect(), since="e:0") == [(True, "e:1")]


def test_all_but_the_last_missed_event_say_that_more_follow(node, monkeypatch):
    monkeypatch.setattr("stork_components.pusher.resuming.LITTLE_BYTES", 1)
    node.push(3)
    node.push(1, topic="pusher.a.2")
    node.relay.hear(5, Push(("pusher.a.1",), "pusher:error", b"1", STAMP))
    node.tail = 5
    client = node.connect()
    client.says("pusher:subscribe", data={"channel": "a.1", "since": "e:1"})
    node.reactor.pump([0.1] * 10)
    node.push(1)
    frames = client.frames()
    assert [(each["event"], each.get("more")) for each in frames[1:]] == [("n2", True), ("n3", None), ("n6", None)]
    assert frames[0]["more"] is True
    assert node.asks(client, since="e:6") == [(True, "e:6")]


def stop_after_the_first_page(client, monkeypatch):
    """Returns a function that lets the client read again."""
    waiting = [1 << 20, 0]
    monkeypatch.setattr(
        type(client.protocol.socket), "waiting_bytes", lambda _: waiting.pop() if waiting[1:] else waiting[0]
    )
    return lambda: waiting.insert(0, 0) or waiting.pop()


def test_much_goes_in_pages_to_a_client_that_reads(node, monkeypatch):
    monkeypatch.setattr("stork_components.pusher.resuming.LITTLE_BYTES", 200)
    node.push(20)
    client = node.connect()
    reads = stop_after_the_first_page(client, monkeypatch)
    begun = client.says("pusher:subscribe", data={"channel": "a.1", "since": "e:5"})
    node.reactor.advance(0.1)
    begun += client.frames()
    node.push(1)
    node.reactor.advance(1)
    assert client.frames() == []
    reads()
    for _ in range(20):
        node.reactor.advance(0.1)
    frames = [short(frame) for frame in begun + client.frames()]
    assert frames == [(True, "e:5"), *(f"n{number}" for number in range(6, 22))]
    node.push(1)
    assert [short(frame) for frame in client.frames()] == ["n22"]


def test_a_client_whose_rest_is_lost_meanwhile_is_closed(node, monkeypatch):
    monkeypatch.setattr("stork_components.pusher.resuming.LITTLE_BYTES", 200)
    node.push(20)
    client = node.connect()
    reads = stop_after_the_first_page(client, monkeypatch)
    client.says("pusher:subscribe", data={"channel": "a.1", "since": "e:5"})
    node.reactor.advance(0.1)
    node.relay._stream.histories.erase("pusher.a.1", 21)
    reads()
    node.reactor.advance(1)
    *_, error = client.frames()
    assert (error["data"]["code"], client.codes) == (4200, [4200])


def test_a_client_that_has_left_meanwhile_gets_nothing(node):
    node.push(3)
    client = node.connect()
    for since in ("e:1", "e:2"):
        client.says("pusher:subscribe", data={"channel": "a.1", "since": since})
    client.says("pusher:unsubscribe", data={"channel": "a.1"})
    node.reactor.advance(1)
    assert client.frames() == []
    assert len(node.hub.table) == 0
    other = node.connect()
    other.says("pusher:subscribe", data={"channel": "a.1", "since": "e:1"})
    other.protocol.connectionLost()
    node.reactor.advance(1)
    assert node.hub.table.followers.observers == {client.protocol.socket}


def test_a_channel_that_is_live_is_recovered_anew(node):
    client = node.connect()
    assert node.asks(client, since=None) == [(False, "e:0")]
    node.push(2)
    client.frames()
    assert node.asks(client, since="e:1") == [(True, "e:1"), "n2"]
    node.push(1)
    assert [short(frame) for frame in client.frames()] == ["n3"]


def test_a_cache_channel_begins_with_its_last_event_unless_recovered(node):
    topic = "pusher.cache-a.1"
    node.push(2, topic=topic)
    node.hub.kept[topic] = [(b'{"type":"n2","data":2}', "e:2")]
    assert node.asks(node.connect(), "cache-a.1", since=None) == [(False, "e:2"), "n2"]
    assert node.asks(node.connect(), "cache-a.1", since="e:1") == [(True, "e:1"), "n2"]
    assert node.asks(node.connect(), "cache-a.1", since="e:2") == [(True, "e:2")]


def test_a_node_that_is_behind_answers_when_it_has_come_so_far(node):
    client = node.connect()
    node.push(1)
    assert node.asks(client, since="e:3") == []
    node.push(3)
    assert [short(frame) for frame in client.frames()] == [(True, "e:3"), "n4"]


def test_a_node_that_stays_behind_sends_its_client_elsewhere(node, monkeypatch):
    answers = [CallError(uris.NOT_READY, "no"), CallError(uris.NOT_READY, "no")]
    monkeypatch.setattr(node.relay.reading, "missed", lambda *_: defer.fail(answers.pop()))
    monkeypatch.setattr(type(node.relay), "is_ready", property(lambda _: len(answers) == 0))
    client = node.connect()
    assert node.asks(client, since="e:3") == ["pusher:error"]
    assert client.codes == [4100]


def test_a_failure_closes_the_one_client(node, monkeypatch):
    monkeypatch.setattr(node.relay.reading, "missed", lambda *_: defer.fail(ValueError("broken")))
    monkeypatch.setattr(Resuming.log, "failure", lambda *_: None)
    client = node.connect()
    assert node.asks(client, since="e:3") == ["pusher:error"]
    assert client.codes == [4100]


def test_an_event_that_cannot_be_written_is_not_recovered(node, monkeypatch):
    monkeypatch.setattr("stork_node.pusher.server_frames._decode_event", json.JSONDecoder().decode)
    node.push(2)
    monkeypatch.undo()
    node.relay._stream.histories.after("pusher.a.1", 0)[1].event = b"[]"
    assert node.asks(node.connect(), since="e:0") == [(False, "e:2")]


def test_those_who_follow_their_position_are_told_the_nodes(node):
    follower, plain, waiting = node.connect(), node.connect(), node.connect()
    node.asks(follower, since=None)
    plain.joins("a.1")
    waiting.says("pusher:subscribe", data={"channel": "a.1", "since": None})
    node.push(1, topic="pusher.a.2")
    node.relay._beat()
    [beat] = follower.frames()
    assert beat == {"event": "pusher_internal:stork_beat", "data": '{"position":"e:1"}'}
    assert (plain.frames(), waiting.frames()) == ([], [])


def test_a_client_with_many_open_recoveries_is_not_read(node):
    client = node.connect()
    for number in range(4):
        client.says("pusher:subscribe", data={"channel": f"a.{number}", "since": None})
    for _ in range(3):  # of a channel that waits already
        client.says("pusher:subscribe", data={"channel": "a.1", "since": None})
    assert held_by(client.protocol) is None
    client.says("pusher:subscribe", data={"channel": "b.1", "since": None})
    assert held_by(client.protocol) == "recoveries"
    node.reactor.advance(1)
    assert held_by(client.protocol) is None
    assert client.protocol.open_recoveries == 0


def test_recoveries_end_with_the_connection(node):
    client = node.connect()
    for number in range(8):
        client.says("pusher:subscribe", data={"channel": f"a.{number}", "since": None})
    client.protocol.connectionLost()
    node.reactor.advance(1)
    assert client.protocol.open_recoveries == 0
