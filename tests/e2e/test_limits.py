"""The limits of one visitor, and the effect on others when it exceeds them."""

import contextlib
import threading

import pytest

from tests.e2e.operator_port import samples, value
from tests.gateway import Deployment
from tests.stubborn import CONTINUATION, PING, PONG, TEXT, Stubborn, frame, message
from tests.wamp import CALL, ERROR, SUBSCRIBE, Refused

APP = """
import asyncio

from stork_node import Principal, Stork

stork = Stork()
stork.feed("v1", "open")


@stork.authenticator
def check_ticket(request):
    return Principal(authid=request.ticket)


@stork.rpc("test.hang", allow=True)
async def hang(call):
    await asyncio.sleep(3600)
"""


def few(config):
    guard = config["workers"][0]["components"][0]["extra"]
    guard["limits"] = {"subscriptions": 5, "calls_in_flight": 3}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("limits"), app=APP, change=few) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment


@pytest.fixture
def node(deployment):
    return deployment.nodes[0]


def limited(node, limit):
    return value(samples(node), "stork_limited_total", limit=limit)


def test_a_subscription_above_the_limit_is_refused_until_one_is_ended(node):
    before = limited(node, "subscriptions")
    with node.join("joe") as client:
        held = [client.subscribe(f"v1.open.{number}") for number in range(5)]
        with pytest.raises(Refused) as refusal:
            client.subscribe("v1.open.5")
        assert refusal.value.uri == "io.virge.stork.limit"
        assert refusal.value.args_ == ["a session has at most 5 subscriptions"]
        client.unsubscribe(held[0])
        assert client.subscribe("v1.open.5")
    assert limited(node, "subscriptions") == before + 1


def test_subscriptions_count_before_they_are_decided(node):
    with Stubborn(node.port) as client:
        client.join("joe")
        client.say(b"".join(message(SUBSCRIBE, number, {}, f"v1.open.{number}") for number in range(1, 21)))
        answers = [client.hear() for _ in range(20)]
        assert sum(answer[0] == ERROR for answer in answers) == 15


@pytest.mark.parametrize("mode", [None, "skip", "killnowait"])
def test_calls_above_the_limit_are_refused_also_after_cancelled_ones(node, mode):
    with Stubborn(node.port) as client:
        client.join("joe")
        for number in range(1, 4):
            client.say(message(CALL, number, {}, "test.hang"))
            if mode:
                client.say(message(49, number, {"mode": mode}))
        client.say(message(CALL, 4, {}, "test.hang"))
        while (answer := client.hear())[2] != 4:
            pass
        assert answer[4:6] == ["io.virge.stork.limit", ["a session has at most 3 calls in flight"]]


def test_a_backend_has_no_such_limits(node):
    with node.backend() as backend:
        assert len({backend.subscribe(f"v1.open.{number}") for number in range(20)}) == 20


@pytest.mark.parametrize(
    ("is_joined", "begin", "flood"),
    [
        (False, b"", frame(PING) * 2000),
        (False, b"", frame(PONG) * 2000),
        (False, frame(TEXT, is_last=False), frame(CONTINUATION, is_last=False) * 2000),
        (True, b"", message(CALL, 7, {}, "test.hang") * 500),
        (True, b"", message(SUBSCRIBE, 7, {}, "v1.closed.1") * 500),
        (True, b"", message(CALL, 7, {}, "io.virge.stork.recover", [{f"v1.open.{n}": None for n in range(1000)}]) * 5),
    ],
)
def test_others_join_and_get_pushes_while_one_says_ever_more(deployment, node, is_joined, begin, flood):
    stop = threading.Event()
    with Stubborn(node.port) as one, deployment.publisher() as publisher:
        if is_joined:
            one.join("joe")
        one.say(begin)

        def go_on():
            try:
                while not stop.is_set():
                    one.say(flood)
            except OSError:
                pass  # nobody reads what is answered, so that it may be cut

        flooding = threading.Thread(target=go_on)
        flooding.start()
        try:
            for number in range(3):
                with node.join(f"other{number}") as client:
                    client.subscribe("v1.open.other")
                    publisher.push("v1.open.other", type="t", data=number)
                    assert client.event()[1]["data"] == number
        finally:
            stop.set()
            with contextlib.suppress(OSError):  # it is cut already
                one.socket.shutdown(2)
            flooding.join()
