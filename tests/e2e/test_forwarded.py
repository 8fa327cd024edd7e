"""A client's address behind a balancer: the parts of X-Forwarded-For that the node believes."""

import pytest

from tests.gateway import Deployment
from tests.wamp import Aborted, Client

# Tells the client what its handlers are told.
APP = """
from stork_node import Deny, Principal, Stork

stork = Stork()


@stork.authenticator
def check_ticket(request):
    if request.ticket != "yes":
        return Deny("unknown ticket")
    return Principal(authid="anybody", extra={"address": request.address, "header": request.headers["X-Forwarded-For"]})


@stork.feed("v1", "from").verify
def is_from_there(session, topic):
    return topic.feed_id == session.address.replace(".", "-")
"""


@pytest.fixture(scope="module")
def behind_balancers(tmp_path_factory):
    """A node that takes 127.0.0.1, from where these tests come, for a balancer."""
    with Deployment(
        tmp_path_factory.mktemp("trusting"), app=APP, environ={"STORK_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8"}
    ) as deployment:
        deployment.start_publish_server()
        yield deployment.start_node()


@pytest.fixture(scope="module")
def by_itself(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("by-itself"), app=APP) as deployment:
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
