import asyncio

import pytest
import zmq

from stork_node.clients.async_publisher import AsyncPublisher
from stork_node.clients.publisher import Publisher
from stork_node.errors import ConfigError, NotConfirmed
from stork_node.protocol.bus import decode_frame
from stork_node.transport.curve import Channel, ClientKeys, push_key, secure_client
from tests.components.served import Peer, is_refused, peer, serving, settings, wait_for
from tests.malformed import document

SECRET = "gëheim \U0001f600"


@pytest.fixture(scope="module")
def server():
    with serving(settings(secret=SECRET)) as running:
        yield running


def with_keys(secret: str, channel: Channel):
    return lambda socket: secure_client(socket, ClientKeys.from_secret(secret, channel))


def test_the_secret_lets_push_and_follow(server):
    with (
        peer(zmq.SUB, server.pub_endpoint, with_keys(SECRET, "follow")) as subscriber,
        Publisher(server.router_endpoint, secret=SECRET) as publisher,
        Publisher(server.pull_endpoint, secret=SECRET, answered=False) as unanswered,
    ):
        decode_frame(subscriber.recv())
        assert publisher.push("v1.a.1", "answered")
        unanswered.push("v1.a.1", "unanswered")
        wait_for(lambda: b'"unanswered"' in subscriber.recv(), "the push on the bus")


def test_the_push_key_lets_push(server):
    with Publisher(server.router_endpoint, push_key=push_key(SECRET)) as publisher:
        assert publisher.push("v1.a.1", "t")


@pytest.mark.parametrize("channel", ["push", "follow"])
def test_each_channel_admits_its_own_key_and_no_other(server, channel):
    own, other = ("push", "follow") if channel == "push" else ("follow", "push")
    kind, endpoint = (zmq.DEALER, server.router_endpoint) if channel == "push" else (zmq.SUB, server.pub_endpoint)
    assert not is_refused(kind, endpoint, with_keys(SECRET, own))
    assert is_refused(kind, endpoint, with_keys(SECRET, other))
    assert is_refused(kind, endpoint, with_keys("another secret", own))
    assert is_refused(kind, endpoint, None)


def test_knowing_the_servers_public_key_is_not_enough(server, caplog):
    def strangers_keys(socket: Peer) -> None:
        socket.curve_serverkey = ClientKeys.from_secret(SECRET, "push").server_public
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()

    before = server.counters.strangers
    assert is_refused(zmq.DEALER, server.router_endpoint, strangers_keys)
    assert is_refused(zmq.PUSH, server.pull_endpoint, strangers_keys)
    wait_for(lambda: server.counters.strangers >= before + 2, "the count of strangers")


@pytest.mark.parametrize(
    ("keys", "client_says", "server_says"),
    [
        (
            {},
            "wants CURVE, and there is no secret here|does it want a secret",
            "a peer has no secret, and this server has one",
        ),
        ({"secret": "another"}, "refuses the secret that is used here", "a peer with another secret"),
        ({"push_key": push_key("another")}, "refuses the secret that is used here", "a peer with another secret"),
    ],
)
def test_a_wrong_key_is_told_on_both_sides(caplog, keys, client_says, server_says):
    with serving(settings(secret=SECRET)) as server:
        with (
            Publisher(server.router_endpoint, timeout_ms=1000, **keys) as publisher,
            pytest.raises(NotConfirmed, match=client_says),
        ):
            publisher.push("v1.a.1", "t")
        told = f"refused {server_says} on {server.router_endpoint}"
        wait_for(lambda: told in caplog.text, "the line of the log")
        assert server.counters.strangers


@pytest.mark.parametrize("keys", [{}, {"secret": "another"}])
def test_an_asynchronous_publisher_tells_of_a_wrong_key(server, keys):
    async def push():
        async with AsyncPublisher(server.router_endpoint, timeout_ms=1000, **keys) as publisher:
            await publisher.push("v1.a.1", "t")

    with pytest.raises(NotConfirmed, match=r"refuses the secret" if keys else r"wants CURVE|does it want a secret"):
        asyncio.run(push())


def test_a_publisher_at_a_wrong_port_says_that_nobody_answers():
    with (
        Publisher("tcp://127.0.0.1:1", timeout_ms=1000) as publisher,
        pytest.raises(NotConfirmed, match=r"nobody answers at tcp://127\.0\.0\.1:1 "),
    ):
        publisher.push("v1.a.1", "t")


def test_a_publisher_with_a_secret_is_not_served_by_a_server_without():
    with serving() as plain, Publisher(plain.router_endpoint, timeout_ms=1000, secret=SECRET) as publisher:
        with pytest.raises(NotConfirmed, match=r"has no secret, and here is one|another one, or none"):
            publisher.push("v1.a.1", "t")
        wait_for(lambda: plain.counters.strangers, "the count of strangers")
        with peer(zmq.DEALER, plain.router_endpoint) as dealer:
            dealer.send(document())
            assert b'"ok":true' in dealer.recv()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"push_key": "x"}, "push_key: not a push key (want its 80 characters)"),
        ({"secret": "a", "push_key": push_key("a")}, "push_key: give the secret or the push key, not both"),
    ],
)
def test_keys_that_cannot_be_used_are_an_error_at_once(arguments, sentence):
    with pytest.raises(ConfigError) as caught:
        Publisher(**arguments)
    assert str(caught.value) == sentence
