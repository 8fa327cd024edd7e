"""Publish servers on one Redis: a pusher may use any of them, and one that ends is not missed (docs/engine.md)."""

import itertools
import json
import threading
import time
from contextlib import ExitStack

import pytest
import zmq

from stork_node.clients.publisher import Publisher
from stork_node.errors import NotConfirmed
from stork_node.protocol.bus import Heartbeat, PushFrame, decode_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import ReplayRequest, decode_answer, encode_request
from tests.components.served import peer, serving, settings, wait_for
from tests.redis_sentinels import Sentinels
from tests.redis_servers import RedisServer

TOPIC = "v1.orders.1"


@pytest.fixture
def server(tmp_path):
    with RedisServer(tmp_path) as redis_server:
        yield redis_server


def pushes_from(bus):
    """The pushes and heartbeats that come on a bus, without an end."""
    while True:
        yield decode_frame(bus.recv())


def test_a_push_at_one_reaches_the_relays_of_all(server):
    with ExitStack() as stack:
        chosen = settings(engine=server.url)
        first, second = (stack.enter_context(serving(chosen)) for _ in range(2))
        buses = [stack.enter_context(peer(zmq.SUB, each.pub_endpoint)) for each in (first, second)]
        for bus in buses:
            bus.recv()
        publisher = stack.enter_context(Publisher(first.router_endpoint))
        other = stack.enter_context(Publisher(second.router_endpoint))
        position = publisher.push(TOPIC, "paid", {"n": 1}, id="k")
        again = other.push(TOPIC, "paid", {"n": 1}, id="k")
        assert (again, again.duplicate) == (position, True)
        after = other.push(TOPIC, "paid", {"n": 2})
        for bus in buses:
            seen = [frame for frame in itertools.islice(_until(bus, after), 1000) if isinstance(frame, PushFrame)]
            assert [str(frame.position) for frame in seen] == [position, after]
        assert Position.parse(after).sequence == Position.parse(position).sequence + 1


def _until(bus, position):
    for frame in pushes_from(bus):
        yield frame
        if isinstance(frame, PushFrame) and str(frame.position) == position:
            return


def test_a_relay_that_changes_servers_goes_on_where_it_was(server):
    with ExitStack() as stack:
        chosen = settings(engine=server.url)
        first, second = (stack.enter_context(serving(chosen)) for _ in range(2))
        publisher = stack.enter_context(Publisher(first.router_endpoint))
        position = Position.parse(publisher.push(TOPIC, "a", None))
        last = Position.parse(publisher.push(TOPIC, "b", None))
        relay = stack.enter_context(peer(zmq.DEALER, second.replay_endpoint))
        bus = stack.enter_context(peer(zmq.SUB, second.pub_endpoint))
        run = next(frame for frame in pushes_from(bus) if isinstance(frame, Heartbeat)).run
        relay.send(encode_request(ReplayRequest(position.epoch, position.sequence, run, 60.0, 1 << 20)))
        page = decode_answer(relay.recv_multipart())
        assert (page.header.epoch, page.header.run, page.header.after) == (position.epoch, run, position.sequence)
        assert decode_frame(page.frames[0]).position == last


def test_a_pusher_goes_on_at_the_next_server(server):
    chosen = settings(engine=server.url)
    with ExitStack() as stack:
        second = stack.enter_context(serving(chosen))
        with serving(chosen) as first:
            both = f"{first.router_endpoint},{second.router_endpoint}"
            publisher = stack.enter_context(Publisher(both, timeout_ms=8000))
            before = Position.parse(publisher.push(TOPIC, "a", None))
        after = Position.parse(publisher.push(TOPIC, "b", None))
        assert (after.epoch, after.sequence) == (before.epoch, before.sequence + 1)


def test_pushes_wait_while_redis_is_away(server):
    with (
        serving(settings(engine=server.url)) as served,
        Publisher(served.router_endpoint, timeout_ms=20_000) as publisher,
    ):
        first = Position.parse(publisher.push(TOPIC, "a", None))
        server.kill()
        with Publisher(served.router_endpoint, timeout_ms=1000) as hasty, pytest.raises(NotConfirmed):
            hasty.push(TOPIC, "hasty", None)
        threading.Timer(1.0, server.start).start()
        second = Position.parse(publisher.push(TOPIC, "b", None))
        assert second.epoch != first.epoch


def test_what_cannot_be_repeated_is_told_that_it_is_not_confirmed(server):
    with serving(settings(engine=server.url)) as served, peer(zmq.DEALER, served.router_endpoint) as pusher:
        server.kill()
        pusher.send(b'{"topics":["v1.a.1"],"type":"t"}')
        answer = json.loads(pusher.recv())
        assert (answer["ok"], answer["error"]) == (False, "not_confirmed")
        pusher.send(b'{"position":true}')
        assert json.loads(pusher.recv())["ok"] is True


def test_heartbeats_say_how_long_nothing_was_confirmed(server):
    with serving(settings(engine=server.url)) as served, peer(zmq.SUB, served.pub_endpoint) as bus:
        beats = (frame for frame in pushes_from(bus) if isinstance(frame, Heartbeat))
        assert next(beats).counters["engine_unconfirmed_s"] < 3
        server.freeze()
        assert next(beat for beat in beats if beat.counters["engine_unconfirmed_s"] >= 3)
        server.thaw()
        assert next(beat for beat in beats if beat.counters["engine_unconfirmed_s"] < 1)


def test_a_failover_by_sentinel_is_told_and_pushes_go_on(tmp_path):
    """Pushes at two servers, while the master is killed: each is answered, once, and in the bus of both."""
    with Sentinels(tmp_path) as sentinels, ExitStack() as stack:
        chosen = settings(engine=sentinels.url)
        served = [stack.enter_context(serving(chosen)) for _ in range(2)]
        epochs = {each.position.epoch for each in served}
        assert len(epochs) == 1
        endpoints = ",".join(each.router_endpoint for each in served)
        publisher = stack.enter_context(Publisher(endpoints, timeout_ms=40_000))
        answered = [publisher.push(TOPIC, "t", i) for i in range(50)]
        killed_at = time.monotonic()
        sentinels.master.kill()
        answered += [publisher.push(TOPIC, "t", 50)]
        took_s = time.monotonic() - killed_at
        answered += [publisher.push(TOPIC, "t", i) for i in range(51, 100)]
        print(f"answered again after {took_s:.1f} s")
        assert len(set(answered)) == 100
        positions = [Position.parse(each) for each in answered]
        assert {each.epoch for each in positions[:50]} == epochs
        assert len({each.epoch for each in positions[50:]} - epochs) == 1
        wait_for(lambda: served[0].position == served[1].position, "one tail")
