"""After its close frame a client is neither heard nor told anything, and it is gone soon, whatever it does."""

import contextlib
import json

import pytest

from tests.e2e.operator_port import samples, value
from tests.gateway import Deployment, wait_for
from tests.scripted_publish_server import ScriptedPublishServer
from tests.stubborn import CLOSE, PING, TEXT, Stubborn, frame, message
from tests.wamp import CALL, SUBSCRIBE

WHOAMI = message(CALL, 901, {}, "test.whoami")
SUBSCRIPTION = message(SUBSCRIBE, 902, {}, "v1.open.ends")
HELLO = message(1, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]})


def opcodes(frames):
    return [opcode for opcode, _ in frames]


def close_code(frames):
    [payload] = [payload for opcode, payload in frames if opcode == CLOSE]
    return int.from_bytes(payload[:2], "big")


def visitors(node):
    return value(samples(node), "stork_sessions", role="frontend")


@pytest.fixture
def client(node):
    with Stubborn(node.port) as client:
        yield client


def say_all(client):
    """Send every message that a client may send; the connection may be gone meanwhile."""
    with contextlib.suppress(ConnectionError):
        client.say(WHOAMI + SUBSCRIPTION + frame(PING, b"ping") + HELLO)


def test_after_4001_nothing_is_answered_and_the_connection_ends(node, client, many_ways):
    client.join("lives:1.5")
    client.say(SUBSCRIPTION)
    assert client.hear()[0] == 33
    assert client.frame()[0] == CLOSE
    say_all(client)
    with many_ways.publisher() as publisher:
        publisher.push("v1.open.ends", type="t", data="after the end")
    assert client.frames_until_the_end() == []
    wait_for(lambda: visitors(node) == 0, "the end of its session")


def test_after_1013_nothing_is_answered_and_the_connection_ends(client):
    client.say(HELLO)
    client.hear()
    client.say(message(5, "raise", {}))
    assert close_code([client.frame()]) == 1013
    say_all(client)
    assert client.frames_until_the_end() == []


@pytest.mark.parametrize("ticket", ["nobody", "old"])
def test_after_abort_the_connection_is_closed_in_the_same_turn(client, ticket):
    client.say(HELLO + message(5, ticket, {}))
    frames = client.frames_until_the_end()
    assert opcodes(frames) == [TEXT, TEXT, CLOSE]
    assert json.loads(frames[1][1])[0] == 3
    assert close_code(frames) == 1000


@pytest.mark.parametrize(
    "hello", [(1, "realm2", {"roles": {"caller": {}}}), (1, "realm1", {"roles": {"caller": {}}, "authmethods": ["x"]})]
)
def test_after_any_other_abort_as_well(client, hello):
    client.say(message(*hello) + HELLO)
    frames = client.frames_until_the_end()
    assert opcodes(frames) == [TEXT, CLOSE]
    assert json.loads(frames[0][1])[0] == 3


def test_after_goodbye_nothing_is_heard(node, client):
    client.join("user:joe")
    client.say(message(6, {}, "wamp.close.normal") + HELLO + message(5, "user:joe", {}) + WHOAMI + frame(PING))
    frames = client.frames_until_the_end()
    assert opcodes(frames) == [TEXT, CLOSE]
    assert json.loads(frames[0][1])[0] == 6
    wait_for(lambda: visitors(node) == 0, "the end of its session")


def test_after_a_logout_by_a_backend_nothing_is_answered(node, client):
    session_id = client.join("user:joe")[1]
    with node.backend() as backend:
        backend.call("wamp.session.kill", session_id, reason="io.virge.stork.disconnected")
    assert client.hear()[2] == "io.virge.stork.disconnected"
    say_all(client)
    assert opcodes(client.frames_until_the_end()) == [CLOSE]


@pytest.mark.parametrize(
    "said",
    [
        message(1, "realm1", {"authmethods": ["ticket"], "authid": "a" * 100_000}),
        message(1, "realm1", {"authmethods": ["ticket"], "authid": "\ud800"}),
    ],
)
def test_after_what_is_not_accepted_nothing_is_answered(client, said):
    client.say(said + HELLO + frame(PING))
    assert opcodes(client.frames_until_the_end()) in ([CLOSE], [])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\x81\x02[]", 1002),
        (frame(3), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(0x78), 1002),
        (b"\x89\xff" + bytes(12), 1002),
        (frame(0), 1002),
    ],
)
def test_a_violation_of_the_protocol_ends_the_connection_at_once(client, said, code):
    client.say(said + HELLO)
    frames = client.frames_until_the_end()
    assert opcodes(frames) == [CLOSE]
    assert close_code(frames) == code


@pytest.mark.parametrize("twice", [(HELLO, HELLO), (HELLO, message(5, "user:joe", {}), message(5, "user:joe", {}))])
def test_a_client_that_joins_twice_is_refused_by_name(node, client, twice):
    client.say(b"".join(twice))
    frames = client.frames_until_the_end()
    assert opcodes(frames)[-1] == CLOSE
    assert close_code(frames) == 1002
    assert visitors(node) == 0


def test_a_client_that_closes_and_stays_is_gone(client):
    client.join("user:joe")
    client.say(frame(CLOSE, b"\x03\xe8") + WHOAMI)
    assert opcodes(client.frames_until_the_end()) == [CLOSE]


def test_a_client_that_says_ever_more_after_its_end_is_gone(client):
    client.join("lives:1")
    assert client.frame()[0] == CLOSE

    def is_gone():
        try:
            client.say((WHOAMI + frame(PING)) * 100)
        except ConnectionError:
            return True
        return False

    wait_for(is_gone, "a reset")


def test_a_client_that_reads_nothing_is_gone_after_its_end(node, many_ways):
    with Stubborn(node.port, receive_bytes=4096) as client, many_ways.publisher() as publisher:
        client.join("lives:3")
        client.say(SUBSCRIPTION)
        client.hear()
        for _ in range(3):
            publisher.push("v1.open.ends", type="t", data="x" * 900_000)
        wait_for(lambda: visitors(node) == 0, "the end of its session")


def test_a_slow_client_that_reads_all_the_same_is_told_of_its_end(node, many_ways):
    with Stubborn(node.port, receive_bytes=4096) as client, many_ways.publisher() as publisher:
        client.join("lives:3")
        client.say(SUBSCRIPTION)
        client.hear()
        for _ in range(3):
            publisher.push("v1.open.ends", type="t", data="x" * 900_000)
        assert opcodes(client.frames_until_the_end()) == [TEXT, TEXT, TEXT, CLOSE]


def test_after_4010_nothing_is_answered_and_the_connection_ends(tmp_path):
    with (
        Deployment(tmp_path) as deployment,
        ScriptedPublishServer(deployment.pub, deployment.replay) as server,
    ):
        server.begin("first", "run1")
        node = deployment.start_node()
        with Stubborn(node.port) as client, Stubborn(node.port, receive_bytes=4096) as deaf:
            for each in (client, deaf):
                each.join("test-ticket")
                each.say(message(SUBSCRIBE, 902, {}, "v1.test.1"))
                assert each.hear()[0] == 33
            server.begin("second", "run2")
            assert close_code([client.frame()]) == 4010
            say_all(client)
            server.push("v1.test.1", "after the end")
            assert client.frames_until_the_end() == []
            wait_for(lambda: visitors(node) == 0, "the end of both sessions")
            assert close_code(deaf.frames_until_the_end()) == 4010


def test_a_client_that_ignores_1012_does_not_delay_the_end_of_the_node(tmp_path):
    with Deployment(tmp_path) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with Stubborn(node.port) as client:
            client.join("test-ticket")
            assert node.stop() == 0
            frames = client.frames_until_the_end()
            assert (opcodes(frames), close_code(frames)) == ([CLOSE], 1012)
