"""The limits of one visitor, and the effect on others when it exceeds them."""

import contextlib
import threading

import pytest

from tests.e2e.operator_port import samples, value
from tests.gateway import Deployment, wait_for
from tests.stubborn import CONTINUATION, PING, PONG, TEXT, Stubborn, frame, message
from tests.wamp import ABORT, CALL, ERROR, SUBSCRIBE, Closed, Refused

pytestmark = pytest.mark.alone

APP = """
import asyncio

from stork_node import Deny, Principal, Stork

stork = Stork()
stork.feed("v1", "open")


@stork.authenticator
def check_ticket(request):
    return Principal(authid=request.ticket) if request.ticket != "refused" else Deny("refused")


@stork.rpc("test.echo", allow=True)
def echo(call):
    return list(call.args)


@stork.rpc("test.hang", allow=True)
async def hang(call):
    await asyncio.sleep(3600)
"""


def few(config):
    guard = config["workers"][0]["components"][0]["extra"]
    guard["limits"] = {"subscriptions": 5, "calls_in_flight": 3, "calls_per_second": 20, "sessions_per_user": 3}


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


def test_calls_above_the_rate_are_refused_and_those_of_others_are_not(deployment, node):
    before = limited(node, "calls_per_second")
    with Stubborn(node.port) as client, node.join("ann") as other:
        client.join("joe")
        # One at a time is in flight: each waits for its answer.
        answers = []
        while not any(answer[0] == ERROR for answer in answers):
            assert len(answers) < 2000
            client.say(message(CALL, len(answers) + 1, {}, "test.echo", [1]))
            answers.append(client.hear())
        assert answers[-1][4:6] == ["io.virge.stork.limit", ["a session has at most 20 calls a second"]]
        assert len(answers) > 20
        assert other.call("test.echo", 1) == [1]
    assert limited(node, "calls_per_second") == before + 1


def test_a_user_with_too_many_sessions_is_closed_and_others_are_not(deployment, node):
    with contextlib.ExitStack() as sessions:
        held = [sessions.enter_context(node.join("joe")) for _ in range(3)]
        with node.connect() as fourth, pytest.raises(Closed) as closed:
            fourth.join("joe")
        assert (closed.value.code, closed.value.reason) == (1013, "try again later")
        assert_others_are_served(deployment, node)
        assert held[0].subscribe("v1.open.1")
        held[1].close()
        wait_for(lambda: joins(node, "joe"), "room for another session")
    assert limited(node, "sessions_per_user") >= 1
    node.wait_for_line("joe reached limits.sessions_per_user (3)")


def joins(node, ticket):
    try:
        with node.connect() as client:
            client.join(ticket)
    except Closed:
        return False
    return True


def test_a_message_that_is_too_large_is_counted_and_one_line_for_all(deployment, node):
    before = limited(node, "message_bytes")
    for _ in range(3):
        with node.join("joe") as client, pytest.raises(Closed) as closed:
            client.call("test.echo", "x" * 300_000)
        assert closed.value.code == 1009
    assert_others_are_served(deployment, node)
    assert limited(node, "message_bytes") == before + 3
    assert node.log.count("reached limits.message_bytes") == 1


def test_a_backend_has_no_such_limits(node):
    with node.backend() as backend:
        assert len({backend.subscribe(f"v1.open.{number}") for number in range(20)}) == 20


def recover(positions):
    return message(CALL, 7, {}, "io.virge.stork.recover", [positions])


def assert_others_are_served(deployment, node):
    """Three who come now join, subscribe, and get a push."""
    with deployment.publisher() as publisher:
        for number in range(3):
            with node.join(f"other{number}") as client:
                client.subscribe("v1.open.other")
                publisher.push("v1.open.other", type="t", data=number)
                assert client.event()[1]["data"] == number


@contextlib.contextmanager
def going_on(do, end=lambda: None):
    """Have ``do`` done again and again, in a thread, until the body has ended; ``end`` ends one that waits."""
    stop, done = threading.Event(), threading.Event()

    def go_on():
        with contextlib.suppress(OSError, EOFError):  # nobody reads what is answered, so that it may be cut
            while not stop.is_set():
                do()
                done.set()
        done.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        assert done.wait(20)
        yield
    finally:
        stop.set()
        with contextlib.suppress(OSError):  # it is cut already
            end()
        thread.join()


@pytest.mark.parametrize(
    ("is_joined", "begin", "flood"),
    [
        (False, b"", frame(PING) * 2000),
        (False, b"", frame(PONG) * 2000),
        (False, frame(TEXT, is_last=False), frame(CONTINUATION, is_last=False) * 2000),
        (True, b"", message(CALL, 7, {}, "test.hang") * 500),
        (True, b"", message(CALL, 7, {}, "test.echo", [1]) * 500),
        (True, b"", message(SUBSCRIBE, 7, {}, "v1.closed.1") * 500),
        (True, b"", b"".join(message(SUBSCRIBE, 7, {}, f"v1.open.{n}") for n in range(500))),
        (True, b"", recover({f"v1.open.{n}": None for n in range(1000)}) * 5),
        (True, message(SUBSCRIBE, 1, {}, "v1.open.1"), recover({"v1.open.1": "e:9000000000000"}) * 500),
    ],
    ids=["ping", "pong", "fragment", "hang", "echo", "refused", "subscribe", "recover 1000 topics", "recover ahead"],
)
def test_others_join_and_get_pushes_while_one_says_ever_more(deployment, node, is_joined, begin, flood):
    with Stubborn(node.port) as one:
        if is_joined:
            one.join("joe")
        one.say(begin)
        with going_on(lambda: one.say(flood), lambda: one.socket.shutdown(2)):
            assert_others_are_served(deployment, node)


def test_others_are_served_while_one_asks_for_large_answers_and_reads_none(deployment, node):
    with Stubborn(node.port, receive_bytes=4096) as one, deployment.publisher() as publisher:
        one.join("joe")
        one.say(message(SUBSCRIBE, 1, {}, "v1.open.large"))
        one.hear()
        epoch, _, sequence = publisher.push("v1.open.large", type="t").partition(":")
        for _ in range(40):
            publisher.push("v1.open.large", type="t", data=[1] * 6000)
        flood = recover({"v1.open.large": f"{epoch}:{sequence}"}) * 300
        with going_on(lambda: one.say(flood), lambda: one.socket.shutdown(2)):
            assert_others_are_served(deployment, node)


@pytest.mark.parametrize("says", ["nothing", "hello", "a wrong ticket"])
def test_others_are_served_while_strangers_come_and_go(deployment, node, says):
    def come_and_go():
        with Stubborn(node.port) as stranger:
            if says == "a wrong ticket":
                assert stranger.join("refused")[0] == ABORT
            elif says == "hello":
                stranger.say(message(1, "realm1", {"roles": {"caller": {}}, "authmethods": ["ticket"]}))

    with contextlib.ExitStack() as strangers:
        for _ in range(4):
            strangers.enter_context(going_on(come_and_go))
        assert_others_are_served(deployment, node)
