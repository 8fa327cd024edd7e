"""A client's address behind a balancer: the parts of X-Forwarded-For that the node believes."""

import contextlib
import time

import pytest

from tests.e2e.operator_port import samples, value
from tests.gateway import Deployment
from tests.stubborn import CLOSE, Stubborn, message
from tests.wamp import Aborted, Client, Closed

# Tells the client what its handlers are told.
APP = """
from stork_node import Deny, Principal, Stork

stork = Stork()


@stork.authenticator
def check_ticket(request):
    if request.ticket != "yes":
        return Deny("unknown ticket")
    header = request.headers.get("X-Forwarded-For")
    return Principal(authid="anybody", extra={"address": request.address, "header": header})


@stork.feed("v1", "from").verify
def is_from_there(session, topic):
    return topic.feed_id == session.address.replace(".", "-")
"""


def few(config):
    guard = config["workers"][0]["components"][0]["extra"]
    guard["limits"] = {"connections": 30, "connections_per_address": 6, "joins_per_second": 20}


@pytest.fixture(scope="module")
def behind_balancers(tmp_path_factory):
    """A node that takes 127.0.0.1, from where these tests come, for a balancer."""
    with Deployment(
        tmp_path_factory.mktemp("trusting"),
        app=APP,
        change=few,
        environ={"STORK_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8"},
    ) as deployment:
        deployment.start_publish_server()
        yield deployment.start_node()


@pytest.fixture(scope="module")
def by_itself(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("by-itself"), app=APP, change=few) as deployment:
        deployment.start_publish_server()
        yield deployment.start_node()


def address(node, **headers: str) -> str:
    """The client's address, as the authenticator and a verifier get it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with Client(node.url, headers=named).join("yes") as client:
        told: str = client.welcome["authextra"]["address"]
        client.subscribe(f"v1.from.{told.replace('.', '-')}")
    return told


def test_the_balancers_word_is_taken_by_all_handlers(behind_balancers):
    assert address(behind_balancers, X_Forwarded_For="192.0.2.1") == "192.0.2.1"
    assert address(behind_balancers, X_Forwarded_For="2001:db8::1, 10.0.0.4") == "2001:db8::1"


def test_what_a_client_adds_in_front_is_not(behind_balancers):
    assert address(behind_balancers, X_Forwarded_For="192.0.2.1, 192.0.2.66") == "192.0.2.66"
    assert address(behind_balancers, X_Forwarded_For="unknown") == "127.0.0.1"


def test_a_header_hidden_within_another_one_is_not_seen(behind_balancers):
    # autobahn takes U+0085 for the end of a line. The balancer adds its header in front here, as nginx does.
    hidden = {"X_Forwarded_For": "192.0.2.66", "X_Mine": "a\x85X-Forwarded-For: 192.0.2.1"}
    assert address(behind_balancers, **hidden) == "192.0.2.66"


def test_without_trusted_proxies_nobodys_word_is_taken(by_itself):
    assert address(by_itself, X_Forwarded_For="192.0.2.1") == "127.0.0.1"


def test_one_address_has_few_connections_and_others_have_theirs(by_itself):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Client(by_itself.url)) for _ in range(6)]
        seventh = stack.enter_context(Client(by_itself.url))
        assert closed(seventh) == (1013, "try again later")
        other = stack.enter_context(Client(by_itself.url, source_address=("127.0.0.7", 0)))
        other.join("yes")
        held[0].join("yes")
    by_itself.wait_for_line("127.0.0.1 reached limits.connections_per_address (6)")


def test_the_forwarded_address_has_the_limit_and_the_node_one_for_all(behind_balancers):
    def connect(stack, host):
        return stack.enter_context(Client(behind_balancers.url, headers={"X-Forwarded-For": host}))

    with contextlib.ExitStack() as stack:
        for number in range(5):
            held = [connect(stack, f"192.0.2.{number}") for _ in range(6)]
        assert closed(connect(stack, "198.51.100.1"))[0] == 1013
        held[0].join("yes")
    behind_balancers.wait_for_line("this node reached limits.connections (30)")
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            connect(stack, "198.51.100.1")
        assert closed(connect(stack, "198.51.100.1"))[0] == 1013
    behind_balancers.wait_for_line("198.51.100.1 reached limits.connections_per_address (6)")


def test_many_who_join_at_once_come_again_later(behind_balancers):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Client(behind_balancers.url)).join("yes")
        strangers = [stack.enter_context(Stubborn(behind_balancers.port)) for _ in range(29)]
        for stranger in strangers:
            stranger.say(message(1, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]}))
            stranger.hear()
        time.sleep(1)  # of the bucket, whatever earlier tests took
        for stranger in strangers:
            stranger.say(message(5, "yes", {}))
        frames = [stranger.frame() for stranger in strangers]
        turned_away = [payload for opcode, payload in frames if opcode == CLOSE]
        assert 0 < len(turned_away) <= 9
        assert set(turned_away) == {(1013).to_bytes(2, "big") + b"try again later"}
        assert first.subscribe("v1.from.127-0-0-1")
    limits = value(samples(behind_balancers), "stork_limited_total", limit="joins_per_second")
    assert limits == len(turned_away)


def closed(client):
    with pytest.raises(Closed) as raised:
        client.receive()
    return raised.value.code, raised.value.reason


def test_the_log_names_the_address_of_who_is_turned_away(behind_balancers):
    with Client(behind_balancers.url, headers={"X-Forwarded-For": "192.0.2.9"}) as client, pytest.raises(Aborted):
        client.join("no")
    behind_balancers.wait_for_line("from 192.0.2.9 denied: unknown ticket")


@pytest.mark.parametrize("trusted", ["haproxy", "10.0.0.1/8"])
def test_a_network_that_is_none_is_said_at_the_start(tmp_path, trusted):
    with Deployment(tmp_path, app=APP, environ={"STORK_TRUSTED_PROXIES": trusted}) as deployment:
        deployment.start_publish_server()
        with pytest.raises(AssertionError, match="is not a network") as caught:
            deployment.start_node(wait=False).wait_for_line("the node is ready")
        sentence = f"{trusted!r} is not a network (want 10.0.0.0/8, or an address)"
        assert f"workers[0].components[0].extra.trusted_proxies: {sentence}" in str(caught.value)
