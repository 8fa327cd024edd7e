import gc
import tracemalloc
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from twisted.internet.tcp import Server
from twisted.logger import capturedLogs, formatEvent

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from autobahn.websocket.protocol import TrafficStats

from stork_components.relay.acting import Acting
from stork_node.broadcast.backlog import ReaderLimits
from stork_node.protocol import uris
from stork_node.protocol.positions import Position
from tests.components.router_inside import (
    Broadcaster,
    Inside,
    UriObservationMap,
    WampWebSocketServerProtocol,
    broadcaster_module,
    inside_module,
    push,
    self_test,
)

TOPIC = "v1.orders.42"
SMALL = ReaderLimits(max_waiting_bytes=100_000, max_waiting_s=10.0)


@pytest.fixture
def inside() -> Iterator[Inside]:
    inside = Inside()
    yield inside
    inside.close()


@pytest.fixture
def broadcaster(inside: Inside) -> Broadcaster:
    return Broadcaster(inside.component, inside.reactor, limits=SMALL)


def test_crossbar_autobahn_and_twisted_are_as_the_broadcaster_knows_them(inside, broadcaster):
    assert self_test.fault(inside.component) is None
    assert broadcaster.way == "direct"


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (UriObservationMap, "match_observations"),
        (WampWebSocketServerProtocol, "sendFrame"),
        (Server, "offset"),
        (Server, "TLS"),
        (Server, "abortConnection"),
    ],
)
def test_a_name_that_is_gone_is_found_at_the_start(inside, monkeypatch, owner, name):
    where = next(each for each in owner.__mro__ if name in vars(each))
    monkeypatch.delattr(where, name)
    assert "AttributeError" in self_test.fault(inside.component)


def test_the_self_test_finds_frames_that_are_written_differently(inside, monkeypatch):
    send = WampWebSocketServerProtocol.sendData
    monkeypatch.setattr(WampWebSocketServerProtocol, "sendData", lambda self, data, *_: send(self, data + b"!"))
    assert self_test.fault(inside.component) == "AssertionError: json is framed in another way"


def test_the_pushes_of_a_turn_reach_their_subscribers_in_order(inside, broadcaster):
    one, both = inside.connect(TOPIC), inside.connect(TOPIC, "v1.orders.43", serializer="msgpack")
    both.subscribe("v1.orders.", "prefix")
    broadcaster.deliver([push(1, TOPIC), push(2, "v1.orders.43"), push(3, TOPIC, "v1.orders.43")])
    assert one.events() == ["e:1", "e:3"]
    assert both.events() == ["e:1", "e:1", "e:2", "e:2", "e:3", "e:3", "e:3", "e:3"]
    counters = broadcaster.counters
    assert (counters.pushes, counters.deliveries, counters.public_pushes) == (3, 10, 0)
    assert inside.router._message_stats["sent"]["event"] == 10


def test_what_crossbar_has_written_before_arrives_before(inside, broadcaster):
    client = inside.connect(TOPIC)
    client.tcp.write(b"SUBSCRIBED")
    broadcaster.deliver([push(1, TOPIC)])
    assert client.received() == b""
    client.tcp.doWrite()
    assert client.received().startswith(b"SUBSCRIBED\x81")


def test_a_beat_goes_to_all_who_listen(inside, broadcaster):
    client, other = inside.connect(uris.BEAT), inside.connect(TOPIC)
    broadcaster.beat(Position("e", 7))
    assert client.events() == ["e:7"]
    assert other.events() == []


def test_the_component_itself_gets_nothing_and_one_beside_it_does(inside, broadcaster):
    heard: list[Any] = []
    beside = inside.embed(onMessage=heard.append)
    for session in (inside.component, beside):
        inside.subscriptions.add_observer(session, TOPIC)
    broadcaster.deliver([push(1, TOPIC)])
    [event] = heard
    assert (event.args, event.kwargs) == ([{"type": "t", "data": None}], {"position": "e:1"})


def test_receives_is_whether_a_session_is_subscribed_now(inside, broadcaster):
    client = inside.connect(TOPIC)
    client.subscribe("v1.users.", "prefix")
    assert broadcaster.receives(client.id, TOPIC)
    assert broadcaster.receives(client.id, "v1.users.7")
    assert not broadcaster.receives(client.id, "v1.orders.43")
    assert not broadcaster.receives(12345, TOPIC)
    client.leave()
    assert not broadcaster.receives(client.id, TOPIC)


def test_a_break_closes_subscribers_bit_by_bit_and_none_gets_a_later_event(inside, broadcaster):
    clients = [inside.connect(TOPIC) for _ in range(250)]
    without, follower = inside.connect(), inside.connect("wamp.session.on_join")
    broadcaster.close_subscribers(4010, "events were missed")
    clients[-1].subscribe("v1.orders.43")
    without.subscribe("v1.orders.43")
    broadcaster.deliver([push(1, TOPIC, "v1.orders.43")])
    assert [client.events() for client in clients] == [[]] * 250
    assert without.events() == ["e:1"]
    assert not broadcaster.receives(clients[0].id, TOPIC)
    for closed in (100, 200, 250):
        assert sum(client.closed is not None for client in clients) == closed
        inside.reactor.advance(0.1)
    assert clients[0].closed == (4010, b"events were missed")
    assert without.closed is follower.closed is None


def test_a_break_of_many_takes_as_long_as_it_may(inside):
    broadcaster = Broadcaster(inside.component, inside.reactor, limits=SMALL, break_spread_s=0.3)
    clients = [inside.connect(TOPIC) for _ in range(450)]
    broadcaster.close_subscribers(4010, "events were missed")
    for closed in (150, 300, 450):
        assert sum(client.closed is not None for client in clients) == closed
        inside.reactor.advance(0.1)


def test_a_session_that_has_left_is_forgotten(inside, broadcaster):
    client = inside.connect(TOPIC)
    broadcaster.close_subscribers(4010, "")
    client.leave()
    inside.reactor.advance(1.0)
    assert client.session not in broadcaster._closing.sessions


def test_an_event_that_a_serializer_refuses_closes_its_connections_only(inside, broadcaster):
    json, packed = inside.connect(TOPIC), inside.connect(TOPIC, serializer="msgpack")
    broadcaster.deliver([push(1, TOPIC, event=b"no JSON")])
    assert b"no JSON" in json.received()
    assert packed.closed == (4010, b"an event cannot be written")
    broadcaster.deliver([push(2, TOPIC)])
    assert (json.events(), packed.received()) == (["e:2"], b"")
    assert broadcaster.counters.unwritable == 1


def test_a_component_that_fails_on_an_event_keeps_nobody_from_it(inside, broadcaster):
    def fail(_: Any) -> None:
        raise ValueError("a fault of the component's")

    inside.subscriptions.add_observer(inside.embed(onMessage=fail), TOPIC)
    client = inside.connect(TOPIC)
    broadcaster.deliver([push(1, TOPIC)])
    assert client.events() == ["e:1"]
    assert broadcaster.counters.unwritable == 0


def test_a_receipt_counts_each_session_once_for_what_became_of_it(inside, broadcaster):
    well, twice, excluded, closing = (inside.connect(TOPIC) for _ in range(4))
    twice.subscribe("v1.orders.", "prefix")
    other = inside.connect("v1.orders.43")
    slow, cut = inside.connect(TOPIC), inside.connect(TOPIC)
    slow.tcp.write(b"waits")
    assert cut.fill() > SMALL.max_waiting_bytes
    broadcaster.end([closing.session], lambda _: None)
    topics, exclude = (TOPIC, "v1.orders.43"), (excluded.id, 4711)
    broadcaster.deliver([push(1, TOPIC), push(2, *topics, exclude=exclude, receipt=True), push(3, TOPIC)])
    assert (well.events(), other.events(), excluded.events()) == (["e:1", "e:2", "e:3"], ["e:2"], ["e:1", "e:3"])
    assert broadcaster.receipts.take(2) == {"sent": 3, "slow": 1, "cut": 1, "excluded": 1}
    zeros = {"sent": 0, "slow": 0, "cut": 0, "excluded": 0}
    assert [broadcaster.receipts.take(number) for number in (1, 2, 3)] == [zeros] * 3


def test_receipts_that_nobody_takes_are_forgotten(inside, broadcaster):
    inside.connect(TOPIC)
    broadcaster.deliver([push(number, TOPIC, receipt=True) for number in range(1, 1_002)])
    assert [broadcaster.receipts.take(number)["sent"] for number in (1, 2)] == [0, 1]


def test_a_reader_above_the_bound_is_cut_and_its_bytes_are_freed(inside, broadcaster):
    slow, well = inside.connect(TOPIC), inside.connect(TOPIC)
    assert slow.fill() > SMALL.max_waiting_bytes
    broadcaster.deliver([push(1, TOPIC)])
    assert slow.tcp._aborting
    assert not slow.tcp._tempDataLen
    assert not slow.tcp.dataBuffer
    assert well.events() == ["e:1"]
    assert broadcaster.counters.slow_readers == 1
    broadcaster.deliver([push(2, TOPIC)])
    assert well.events() == ["e:2"]
    assert not slow.tcp._tempDataLen


def the_largest_push():
    """64 MiB to a client that follows all of it."""
    topics = [f"v1.orders.{number}" for number in range(64)]
    return push(1, *topics, event=b'{"type":"t","data":"%b"}' % (b"x" * (1 << 20)))


def fast(client):
    return client


def by_message(client):
    """Its messages are written one by one, by autobahn, as on RawSocket and TLS."""
    protocol = client.protocol
    protocol.autoFragmentSize = 4 << 20
    protocol.trackedTimings = protocol._perMessageCompress = None
    protocol.maxMessagePayloadSize, protocol.logFrames, protocol.logOctets = 0, False, False
    protocol.trafficStats, protocol.send_state = TrafficStats(), protocol.SEND_STATE_GROUND
    return client


@pytest.mark.parametrize("way", [fast, by_message])
@pytest.mark.parametrize("subscription", ["one pattern", "each topic"])
def test_a_reader_is_cut_within_the_push_that_is_too_much_for_it(inside, broadcaster, way, subscription):
    largest = the_largest_push()
    slow, well = way(inside.connect()), inside.connect(largest.topics[0])
    if subscription == "one pattern":
        slow.subscribe("v1.orders.", "prefix")
    else:
        for topic in largest.topics:
            slow.subscribe(topic)
    tracemalloc.start()
    try:
        broadcaster.deliver([largest])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20
    assert slow.tcp._aborting
    assert not slow.tcp._tempDataLen
    assert broadcaster.counters.slow_readers == 1
    assert broadcaster.counters.deliveries < 8
    assert not well.tcp._aborting


def test_clients_with_different_subscriptions_are_written_to_in_turn(inside, broadcaster):
    """What is made for them together would be 32 MiB."""
    clients = [inside.connect(TOPIC, f"v1.users.{number}") for number in range(64)]
    event = b'{"type":"t","data":"%b"}' % (b"x" * 250_000)
    topics = [TOPIC, *(f"v1.users.{number}" for number in range(64))]
    tracemalloc.start()
    try:
        broadcaster.deliver([push(1, *topics, event=event)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What a client's socket does not take is its own, and within its limit.
    waiting = sum(client.tcp._tempDataLen for client in clients)
    assert peak - waiting < 12 << 20
    assert broadcaster.counters.deliveries == 128


def test_a_reader_that_keeps_up_gets_a_large_push_whole(inside, broadcaster, monkeypatch):
    client, got = inside.connect(), bytearray()
    client.subscribe("v1.orders.", "prefix")
    flush = inside_module.flush

    def read_and_flush(descriptor):
        for _ in range(100):
            got.extend(client.received())
            flush(descriptor)

    monkeypatch.setattr(inside_module, "flush", read_and_flush)
    broadcaster.deliver([the_largest_push()])
    read_and_flush(client.tcp)
    got.extend(client.received())
    assert not client.tcp._aborting
    assert got.count(b'"position":"e:1"') == broadcaster.counters.deliveries == 64


def test_the_turn_being_written_counts_neither_then_nor_at_the_next_look(inside, broadcaster):
    client = inside.connect(TOPIC)
    big = b'{"type":"t","data":"%b"}' % (b"x" * 1_000_000)
    broadcaster.deliver([push(1, TOPIC, event=big)])
    assert client.tcp._tempDataLen > SMALL.max_waiting_bytes
    inside.reactor.advance(1.0)
    assert not client.tcp._aborting
    broadcaster.deliver([push(2, TOPIC)])
    assert client.tcp._aborting


def test_a_reader_whose_bytes_the_reactor_has_not_got_round_to_is_not_slow(inside, broadcaster):
    client = inside.connect(TOPIC)
    client.tcp.write(bytes(SMALL.max_waiting_bytes + 1))
    broadcaster.deliver([push(1, TOPIC)])
    assert not client.tcp._aborting
    assert client.received().endswith(b'{"position":"e:1"}]')


def test_a_socket_that_is_full_or_broken_takes_nothing(inside):
    connection = inside_module.connection(inside.connect().session)
    while connection.send(b"x" * 10_000) == 10_000:
        pass
    while connection.send(b"x"):
        pass
    assert connection.is_idle()
    assert connection.send(b"x") == 0
    connection.tcp.socket.close()
    assert connection.send(b"x") == 0


def test_twisted_is_asked_to_write_only_what_the_socket_takes(inside, monkeypatch):
    client, writes = inside.connect(), []
    waiting = client.fill()
    write = client.tcp.doWrite
    monkeypatch.setattr(client.tcp, "doWrite", lambda: writes.append(write()))
    inside_module.flush(client.tcp)
    assert not writes
    client.received()
    inside_module.flush(client.tcp)
    assert writes
    assert inside_module.waiting_bytes(client.protocol, client.tcp) < waiting


def test_bytes_that_crossbar_has_written_count_too_and_age(inside):
    Broadcaster(inside.component, inside.reactor)
    client, idle = inside.connect(), inside.connect(TOPIC)
    assert client.fill() > 0
    inside.reactor.pump([1.0] * 11)
    assert not client.tcp._aborting
    inside.reactor.advance(1.0)
    assert client.tcp._aborting
    assert not idle.tcp._aborting


def test_a_reader_that_reads_slowly_but_steadily_is_left_alone(inside, broadcaster):
    client = inside.connect(TOPIC)
    for second in range(30):
        broadcaster.deliver([push(second, TOPIC, event=b'"%b"' % (b"x" * 60_000))])
        inside.reactor.advance(1.0)
        client.received()
        client.tcp.doWrite()
    assert not client.tcp._aborting
    assert broadcaster.counters.slow_readers == 0


def test_a_reader_that_has_caught_up_is_as_before(inside, broadcaster):
    client = inside.connect(TOPIC)
    broadcaster.deliver([push(1, TOPIC, event=b'"%b"' % (b"x" * 1_000_000))])
    assert "writeSomeData" in vars(client.tcp)
    while client.tcp in inside.reactor.writers:
        client.received()
        client.tcp.doWrite()
    inside.reactor.advance(1.0)
    assert "writeSomeData" not in vars(client.tcp)
    assert not broadcaster._slow_readers._readers


def test_cut_connections_are_not_kept_alive(inside, broadcaster):
    client = inside.connect(TOPIC)
    client.fill()
    broadcaster.deliver([push(1, TOPIC)])
    client.leave()
    inside.reactor.advance(1.0)
    gc.collect()
    assert not broadcaster._slow_readers._readers


def test_pushes_are_published_and_logged_once_when_the_self_test_fails(inside, monkeypatch):
    monkeypatch.delattr(UriObservationMap, "match_observations")
    with capturedLogs() as events:
        broadcaster = Broadcaster(inside.component, inside.reactor)
        broadcaster.deliver([push(1, TOPIC, "v1.orders.43", exclude=(7,)), push(2, TOPIC, event=b"{")])
        broadcaster.beat(Position("e", 2))
    assert [(args, kwargs["position"]) for args, kwargs in inside.published] == [
        ((TOPIC, {"type": "t", "data": None}), "e:1"),
        (("v1.orders.43", {"type": "t", "data": None}), "e:1"),
        ((uris.BEAT,), "e:2"),
    ]
    assert [kwargs["options"].exclude for _, kwargs in inside.published[:2]] == [[7], [7]]
    assert (broadcaster.way, broadcaster.counters.public_pushes) == ("public", 2)
    assert not broadcaster.receives(1, TOPIC)
    warned, refused = map(formatEvent, events)
    assert warned.startswith("events go by Crossbar's publish, slowly and without bounds for slow readers: ")
    assert refused.startswith("push e:2 cannot be published: it is not JSON")


def test_where_the_inside_is_unknown_a_break_ends_the_process(inside, monkeypatch):
    monkeypatch.delattr(UriObservationMap, "match_observations")

    def end(sentence: str) -> NoReturn:
        raise SystemExit(sentence)

    monkeypatch.setattr(broadcaster_module, "end_worker", end)
    broadcaster = Broadcaster(inside.component, inside.reactor)
    with pytest.raises(SystemExit, match="connections have to be closed \\(events were missed\\)"):
        broadcaster.close_subscribers(4010, "events were missed")


def test_a_router_that_traces_messages_publishes_each(inside, broadcaster):
    inside.router._is_traced = True
    broadcaster.deliver([push(1, TOPIC)])
    assert len(inside.published) == 1
    inside.router._is_traced = False
    broadcaster.deliver([push(2, TOPIC)])
    assert len(inside.published) == 1


def test_the_relay_refuses_an_action_that_it_does_not_know():
    with pytest.raises(AssertionError, match="an unknown action"):
        Acting.act(None, ["an unknown action"])
