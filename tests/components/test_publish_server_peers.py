"""The memory that a peer can make the publish server hold; see ``stork_node.transport.peers``."""

import json
import socket
from contextlib import ExitStack, suppress

import pytest
import zmq

from stork_node.clients.eraser import EraseFailed, ask_to_erase
from stork_node.protocol.replay import EraseRequest, encode_request
from stork_node.publish_server import server as server_module
from stork_node.transport.curve import ClientKeys, secure_client
from stork_node.transport.peer import is_loopback
from tests.components.replaying import ask_page, request
from tests.components.served import Peer, peer, serving, settings, wait_for
from tests.components.zmtp import connect, frame, is_ended, join
from tests.malformed import document

MEBIBYTE = b"x" * (1 << 20)


@pytest.fixture
def server():
    with serving() as running:
        yield running


def with_follow_key(socket: Peer) -> None:
    secure_client(socket, ClientKeys.from_secret("geheim", "follow"))


def send_until_cut(connection: socket.socket, piece: bytes, most: int) -> None:
    """Send ``piece`` again and again; fails where ``most`` bytes are taken."""
    sent = 0
    try:
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    except ConnectionError:
        return
    raise AssertionError(f"{sent} bytes were taken")


def held(server) -> int:
    """Bytes that the server holds for its peers."""
    return sum(each.held for watched in server._sockets.all for each in watched.peers)


def prefixes(server) -> list[int]:
    """How many each peer of the bus has named."""
    return [each.prefixes for each in server._sockets.pub.peers]


def is_alive(server) -> bool:
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        dealer.send(document())
        return bool(json.loads(dealer.recv())["ok"])


@pytest.mark.parametrize(("port", "kind"), [("pull", b"PUSH"), ("router", b"DEALER"), ("replay", b"DEALER")])
@pytest.mark.parametrize("size", [0, 200, 60_000, 1 << 20])
def test_a_message_without_an_end_is_cut(server, port, kind, size):
    part = frame(b"x" * size, more=True)
    piece = part * max(1, 100_000 // len(part))
    with join(getattr(server, f"{port}_endpoint"), kind) as endless:
        send_until_cut(endless, piece, 512 << 20)
    wait_for(lambda: server.counters.cut or port == "replay", "the count")
    assert is_alive(server)


def test_the_peer_that_holds_most_is_cut_where_all_together_hold_too_much():
    with serving(settings(peers_bytes=42 << 20)) as server, ExitStack() as stack:
        peers = [stack.enter_context(join(server.pull_endpoint, b"PUSH")) for _ in range(5)]
        for each in peers:
            each.sendall(frame(MEBIBYTE, more=True))
        wait_for(lambda: held(server) >= 40 << 20, "what all hold")
        assert server.counters.cut == 0
        peers[3].sendall(frame(MEBIBYTE[: 400 << 10], more=True))
        assert is_ended(peers[3])
        wait_for(lambda: server.counters.cut == 1, "the count")
        assert is_alive(server)


def test_a_peer_that_does_not_read_its_answers_is_cut(server):
    requests = frame(b'{"position":true}') * 1000
    with join(server.router_endpoint, b"DEALER", receive_buffer=4096) as greedy:
        send_until_cut(greedy, requests, 40 << 20)
    wait_for(lambda: server.counters.cut == 1, "the count")
    assert is_alive(server)


def test_a_relay_that_does_not_read_its_pages_is_cut(server):
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        for _ in range(3):
            dealer.send(document(data="x" * 1_000_000))
            dealer.recv()
    with join(server.replay_endpoint, b"DEALER", receive_buffer=4096) as greedy:
        for _ in range(30):
            greedy.sendall(frame(encode_request(request())))
        assert is_ended(greedy)
    wait_for(lambda: server.counters.cut == 1, "the count")
    with peer(zmq.DEALER, server.replay_endpoint) as relay:
        assert ask_page(relay, request()).header.tail == 3


def test_a_subscriber_that_does_not_read_is_cut_and_others_are_not(server):
    with (
        peer(zmq.SUB, server.pub_endpoint) as reader,
        peer(zmq.DEALER, server.router_endpoint) as dealer,
        join(server.pub_endpoint, b"SUB", receive_buffer=4096) as greedy,
    ):
        greedy.sendall(frame(b"\x01stork "))
        wait_for(lambda: reader.poll(10), "a heartbeat")
        pushed = 0
        while not server.counters.cut:
            dealer.send(document(data="x" * 1_000_000))
            dealer.recv()
            pushed += 1
            while b" push " not in reader.recv()[:15]:
                pass
            assert pushed < 200
        assert is_ended(greedy)
        assert len(server._sockets.pub.peers) == 1


def test_a_subscriber_that_sends_prefixes_without_an_end_is_cut(server):
    with join(server.pub_endpoint, b"SUB") as greedy:
        send_until_cut(greedy, b"".join(frame(b"\x01%d" % number) for number in range(100)), 100 << 20)
    wait_for(lambda: server.counters.cut == 1, "the count")


@pytest.mark.parametrize(
    "said",
    [
        [b"\x01%d" % number for number in range(9)],
        [b"\x01stork "] * 9,
        [b"\x00never named"] * 9,
        [b"no prefix"] * 9,
        [b""] * 9,
        [b"\x01" + b"x" * 100, b"\x01" + b"y" * 100, b"\x01" + b"z" * 100],
        [b"\x01" + b"x" * 2000],
    ],
)
def test_a_subscriber_of_more_than_it_may_name_is_cut(server, said):
    with join(server.pub_endpoint, b"SUB") as greedy, peer(zmq.SUB, server.pub_endpoint) as reader:
        for each in said:
            with suppress(ConnectionError):
                greedy.sendall(frame(each))
        assert is_ended(greedy)
        assert reader.recv().startswith(b"stork ")


def test_a_few_prefixes_of_a_subscriber_are_served(server):
    with join(server.pub_endpoint, b"SUB") as modest:
        modest.sendall(b"".join(frame(b"\x01stork %d" % number) for number in range(5)) + frame(b"\x00stork 2"))
        assert modest.recv(1)
        wait_for(lambda: prefixes(server) == [6], "its prefixes")
    assert server.counters.cut == 0


def test_prefixes_that_come_one_by_one_over_time_are_counted(server):
    with join(server.pub_endpoint, b"SUB") as slow:
        for number in range(8):
            slow.sendall(frame(b"\x01%d" % number))
            wait_for(lambda number=number: prefixes(server) == [number + 1], "its prefix")
        assert server.counters.cut == 0
        slow.sendall(frame(b"\x01x"))
        assert is_ended(slow)
    wait_for(lambda: server.counters.cut == 1, "the count")


def test_subscriptions_of_many_strangers_take_little_and_relays_are_served(server):
    flood = b"".join(frame(b"\x01" + number.to_bytes(18, "big")) for number in range(2_000))
    with peer(zmq.SUB, server.pub_endpoint) as reader, ExitStack() as stack:
        assert reader.recv()
        strangers = [stack.enter_context(join(server.pub_endpoint, b"SUB")) for _ in range(50)]
        for each in strangers:
            each.setblocking(False)
            with suppress(OSError):
                each.send(flood)
        for each in strangers:
            each.settimeout(20)
            assert is_ended(each)
        assert reader.recv().startswith(b"stork ")
        assert is_alive(server)
        wait_for(lambda: server.counters.cut >= 50, "the count")


def test_a_push_waits_for_no_flood_of_subscriptions_with_curve():
    with serving(settings(secret="geheim")) as server:
        with peer(zmq.SUB, server.pub_endpoint, with_follow_key) as greedy:
            for number in range(2_000):
                greedy.subscribe(b"%d" % number)
            wait_for(lambda: server.counters.cut, "a cut")
        with peer(zmq.SUB, server.pub_endpoint, with_follow_key) as relay:
            assert relay.recv().startswith(b"stork ")


def test_the_bus_takes_a_hundred_relays_or_a_tenth_of_all_connections():
    for connections, relays in ((5, 5), (100, 100), (1000, 100), (2000, 200)):
        with serving(settings(connections=connections)) as server:
            assert server._sockets.pub.limits.connections == relays


def test_the_peer_that_is_idle_longest_gives_way_on_a_full_port():
    with serving(settings(connections=5)) as server, ExitStack() as stack:
        peers = []
        for number in range(5):
            peers.append(stack.enter_context(join(server.pull_endpoint, b"PUSH")))
            wait_for(lambda number=number: len(server._sockets.pull.peers) == number + 1, "a place")
        peers[0].sendall(frame(document()))
        wait_for(lambda: server.counters.accepted == 1, "a push")
        wait_for(lambda: server._sockets.pull.peers[0].active_at > server._sockets.pull.peers[1].active_at, "a look")
        stack.enter_context(join(server.pull_endpoint, b"PUSH")).sendall(frame(document()))
        assert is_ended(peers[1])
        wait_for(lambda: server.counters.accepted == 2, "a push of the newest")
        assert server.counters.cut == 1


def test_connections_that_say_nothing_give_way_first_on_a_full_port():
    with serving(settings(connections=5)) as server, ExitStack() as stack:
        joined = [stack.enter_context(join(server.router_endpoint, b"DEALER")) for _ in range(3)]
        silent = [stack.enter_context(connect(server.router_endpoint)) for _ in range(2)]
        wait_for(lambda: len(server._sockets.router.peers) == 5, "five")
        for _ in range(3):
            assert is_alive(server)
        assert is_ended(silent[0])
        for each in joined:
            each.sendall(frame(document()))
            assert each.recv(1)
        assert server.counters.cut <= 2


def test_what_is_pushed_and_read_is_not_held_however_much_it_is(server):
    with peer(zmq.PUSH, server.pull_endpoint) as pusher, peer(zmq.DEALER, server.router_endpoint) as dealer:
        for number in range(150):
            pusher.send(document(data="x" * 1_000_000))
            dealer.send(document(data=number))
            assert json.loads(dealer.recv())["ok"]
        wait_for(lambda: server.counters.accepted == 300, "all")
    assert server.counters.cut == 0


def test_peers_that_have_left_are_forgotten(server):
    for _ in range(20):
        assert is_alive(server)
        join(server.pull_endpoint, b"PUSH").close()
    wait_for(lambda: not any(watched.has_peers for watched in server._sockets.all), "nobody")


def test_who_may_follow_may_not_erase():
    with serving(settings(secret="geheim")) as server:
        with peer(zmq.DEALER, server.replay_endpoint, with_follow_key) as follower:
            follower.send(encode_request(EraseRequest("v1.a.1")))
            assert b"who may follow may not erase" in follower.recv()
        assert list(ask_to_erase(server.replay_endpoint, "geheim", "v1.a.1"))[-1].is_done
        assert (server.counters.erasures, server.counters.replay_refused) == (1, 1)


def test_without_a_secret_only_the_own_host_may_erase(server, monkeypatch):
    assert list(ask_to_erase(server.replay_endpoint, "", "v1.a.1"))[-1].is_done
    monkeypatch.setattr(server_module, "is_loopback", lambda address: address != "127.0.0.1")
    with pytest.raises(EraseFailed) as failed:
        list(ask_to_erase(server.replay_endpoint, "", "v1.a.1"))
    assert str(failed.value) == (
        "v1.a.1 is not erased: who may follow may not erase: erase on the publish server's own host, "
        "or set STORK_BUS_SECRET on both"
    )


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_addresses_of_the_own_host(address, is_own):
    assert is_loopback(address) == is_own


@pytest.mark.parametrize("number", [64, 65, 10_063, 10_064, 10_065, 20_064, 50_000])
def test_a_message_of_many_frames_is_cut_and_others_are_served(server, number):
    with join(server.pull_endpoint, b"PUSH") as greedy, peer(zmq.PUSH, server.pull_endpoint) as pusher:
        greedy.sendall(frame(b"", more=True) * number + frame(b""))
        assert is_ended(greedy)
        pusher.send(document())
        wait_for(lambda: server.counters.accepted == 1, "the push of another")
    wait_for(lambda: server.counters.cut == 1, "the count")
    wait_for(lambda: not server._sockets.pull._is_dropping, "the end of it")
    assert is_alive(server)


@pytest.mark.parametrize("number", ["1e308", "1e16", "-1"])
def test_a_request_for_an_impossible_time_is_refused(server, number):
    with peer(zmq.DEALER, server.replay_endpoint) as relay:
        relay.send(b'stork 1 replay {"epoch":"","after":0,"run":"","keep_s":%s,"keep_bytes":1}' % number.encode())
        assert b"refused" in relay.recv()
    assert is_alive(server)


@pytest.mark.parametrize("port", ["router_endpoint", "replay_endpoint"])
def test_a_peer_that_takes_the_name_of_another_is_not_served(server, port):
    asked = document(id="a") if port == "router_endpoint" else encode_request(request())
    with zmq.Context() as context, context.socket(zmq.DEALER) as first, context.socket(zmq.DEALER) as second:
        for each in (first, second):
            each.linger, each.rcvtimeo, each.routing_id = 0, 10_000, b"shop-1"
            each.connect(getattr(server, port))
            each.send(asked)
            if each is first:
                assert first.recv_multipart()
        for _ in range(10):
            first.send(asked)
            assert first.recv_multipart()
        assert not second.poll(0)
        assert is_alive(server)
