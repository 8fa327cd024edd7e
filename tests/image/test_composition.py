"""
compose.yaml, run for real: HAProxy, three nodes and one publish server in containers with a network of their own, 300
subscribers through HAProxy, pushes from outside in PHP and Python, while replicas stop, are killed, come and go.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.image.build import build_haproxy
from tests.image.composition import STOPS_WITHIN_S, TICKET, Composition
from tests.image.containers import Containers
from tests.image.subscribers import Crowd, Stream
from tests.image.witness import Account, Report, take_account
from tests.wamp import Client, Closed

pytestmark = pytest.mark.image

SUBSCRIBERS = 300
TOPIC = "v1.test.everybody"
# A subscriber that has to move is back after so long, in seconds.
BACK_WITHIN_S = 5.0

APP = """
from stork_node import Principal, Stork

stork = Stork()
stork.feed("v1", "test")


@stork.authenticator
def check_ticket(request):
    told = {"forwarded": request.headers.get("X-Forwarded-For"), "address": request.address}
    return Principal(authid="anybody", extra=told)
"""


@pytest.fixture(scope="module")
def haproxy(containers: Containers, image: str) -> Iterator[str]:
    name = f"localhost/stork-haproxy-test-{os.getpid()}"
    yield build_haproxy(containers, name)
    if containers.confined:
        containers.call("rmi", name)


@pytest.fixture(scope="module")
def composition(containers: Containers, checkout: Path, image: str, haproxy: str) -> Iterator[Composition]:
    (checkout / ".crossbar/app.py").write_text(APP)
    with Composition(containers, checkout, (image, haproxy)) as running:
        running.wait_for_servers(3, timeout_s=120)
        yield running


@pytest.fixture
def three(composition: Composition) -> Iterator[Composition]:
    """With three nodes at the begin and, if the test has not failed, at its end."""
    yield composition
    composition.remove_stopped()
    composition.scale(3)
    composition.wait_for_servers(3, timeout_s=120)


@pytest.fixture
def stream(composition: Composition) -> Iterator[Stream]:
    with composition.publisher() as publisher:

        def from_python(number: int) -> None:
            publisher.push(TOPIC, type="numbered", data={"n": number})

        def from_php(number: int) -> None:
            composition.push_from_php(TOPIC, number)

        yield Stream([from_php, from_python, from_python, from_python], pause_s=0.2)


@pytest.fixture
def tell(report: Report) -> Callable[..., None]:
    """Puts what came of a stream into the report, and compares it with what had to come of it."""

    def tell(what: str, account: Account, *, moved: int) -> None:
        report.rows.append((what, account))
        assert account.delivered == account.stayed * account.pushes
        assert (account.missed, account.told) == (0, 0)
        # HAProxy spreads them evenly, but for a few that came at the same moment.
        assert account.moved == pytest.approx(moved, rel=0.1)
        assert account.gone_s < BACK_WITHIN_S

    return tell


@contextmanager
def crowd_of(composition: Composition) -> Iterator[Crowd]:
    """Subscribers, spread evenly over the nodes that are there now."""
    with Crowd(composition.url, TICKET, TOPIC, SUBSCRIBERS) as crowd:
        crowd.wait_until_connected()
        yield crowd


def test_every_subscriber_gets_every_push_from_php_and_python(composition, stream, tell):
    with crowd_of(composition) as crowd:
        with stream.running():
            stream.wait_for_more(20)
        tell("nothing", take_account(crowd, stream), moved=0)


def test_those_of_a_replica_that_is_stopped_move_and_no_others(three, stream, tell):
    with crowd_of(three) as crowd:
        with stream.running():
            stream.wait_for_more(5)
            assert three.nodes[0].stop(STOPS_WITHIN_S) == 0
            crowd.wait_until_connected()
            stream.wait_for_more(10)
        tell("a replica is stopped", take_account(crowd, stream), moved=SUBSCRIBERS // 3)


def test_those_of_a_replica_that_is_killed_move_and_no_others(three, stream, tell):
    with crowd_of(three) as crowd:
        with stream.running():
            stream.wait_for_more(5)
            three.nodes[-1].kill()
            crowd.wait_until_connected()
            stream.wait_for_more(10)
        tell("a replica is killed", take_account(crowd, stream), moved=SUBSCRIBERS // 3)


def test_nodes_come_and_move_nobody(three, stream, tell):
    three.scale(2)
    three.wait_for_servers(2)
    with crowd_of(three) as crowd:
        with stream.running():
            three.scale(4)
            three.wait_for_servers(4, timeout_s=120)
            stream.wait_for_more(5)
        tell("from two replicas to four", take_account(crowd, stream), moved=0)


def test_nodes_go_and_move_their_own_subscribers_and_no_others(three, stream, tell):
    three.scale(4)
    three.wait_for_servers(4, timeout_s=120)
    with crowd_of(three) as crowd:
        with stream.running():
            three.scale(2)
            crowd.wait_until_connected()
            stream.wait_for_more(10)
        tell("from four replicas to two", take_account(crowd, stream), moved=SUBSCRIBERS // 2)


def test_a_node_that_hangs_gets_no_new_connections(three):
    node = three.nodes[0]
    [router] = node.process_ids("RouterController")
    node.signal("STOP", router)
    try:
        three.wait_for_servers(2)
        for _ in range(10):
            with Client(three.url).join(TICKET) as client:
                client.subscribe(TOPIC)
    finally:
        node.signal("CONT", router)
    three.wait_for_servers(3)


def test_only_the_balancer_says_who_the_client_is(composition):
    forged = {"X-Forwarded-For": "192.0.2.66", "X-Hidden": "a\x85X-Forwarded-For: 192.0.2.66"}
    with Client(composition.url, headers=forged).join(TICKET) as client:
        told = client.welcome["authextra"]
    # HAProxy saw the test come from the network's gateway.
    assert told["address"] == told["forwarded"] == composition.gateway


def test_where_no_node_is_ready_all_that_are_alive_are_used(containers, checkout, image, haproxy, tmp_path):
    folder = tmp_path / "unready"
    shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns("node_modules", ".git"))
    without_application(folder / ".crossbar/config.json")
    with Composition(containers, folder, (image, haproxy)) as composition:
        composition.wait_for_servers(3, 120, backend="nodes_alive")
        assert composition.servers() == 0
        assert composition.get() == 200
        with pytest.raises(Closed) as closed, Client(composition.url) as client:
            client.join(TICKET)
        assert closed.value.code == 1013


def without_application(file: Path) -> None:
    """Nobody answers for it, and the guard waits a moment only."""
    config = json.loads(file.read_text())
    config["workers"] = [worker for worker in config["workers"] if worker["type"] != "container"]
    [guard] = [each for each in config["workers"][0]["components"] if each["classname"].endswith("Guard")]
    guard["extra"]["starting_timeout_s"] = 0.5
    file.write_text(json.dumps(config))
