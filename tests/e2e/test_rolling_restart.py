"""Three nodes behind HAProxy, restarted in turn under load: nobody misses anything, who moves is back soon."""

import contextlib
import threading
import time

import pytest
from websockets.exceptions import WebSocketException

from tests.balancer import haproxy_before
from tests.e2e.applications import MANY_WAYS
from tests.e2e.operator_port import get
from tests.gateway import Deployment, Node, wait_for
from tests.wamp import Client, Closed, Refused

SUBSCRIBERS = 24
TOPIC = "v1.open.rolling"
RECOVER = "io.virge.stork.recover"
BACK_WITHIN_S = 5.0


class Subscriber(threading.Thread):
    """Follows docs/delivery.md#the-clients-algorithm: comes back whenever its connection ends, and recovers."""

    def __init__(self, url: str, name: str, stop: threading.Event) -> None:
        super().__init__(name=name)
        self._url, self._stop_asked = url, stop
        self._position: str | None = None
        self.got: list[int] = []
        self.recovered: list[bool] = []
        self.codes: list[int] = []
        self.away_s: list[float] = []

    def run(self) -> None:
        lost_at = None
        while not self._stop_asked.is_set():
            try:
                client = Client(self._url)
            except (OSError, WebSocketException, TimeoutError):
                continue
            with client, contextlib.suppress(Closed, Refused, TimeoutError):
                client.join(f"user:{self.name}")
                client.subscribe(TOPIC)
                self._recover(client)
                if lost_at is not None:
                    self.away_s.append(time.monotonic() - lost_at)
                try:
                    self._listen(client)
                except Closed as closed:
                    self.codes.append(closed.code)
                lost_at = time.monotonic()

    def _recover(self, client: Client) -> None:
        more = True
        while more:
            answer = client.call(RECOVER, {TOPIC: self._position})[TOPIC]
            if self._position is not None:
                self.recovered.append(answer["recovered"])
            for event in answer["events"]:
                self.got.append(event["data"])
            self._position, more = answer["position"], answer.get("more")

    def _listen(self, client: Client) -> None:
        while not self._stop_asked.is_set():
            with contextlib.suppress(TimeoutError):
                _, event, kwargs = client.event(timeout_s=0.5)
                if sequence(kwargs["position"]) > sequence(self._position):
                    self._position = kwargs["position"]
                    self.got.append(event["data"])


def sequence(position: str) -> int:
    return int(position.partition(":")[2])


@pytest.fixture
def deployment(tmp_path):
    environ = {"STORK_DRAIN_WAIT_S": "1", "STORK_DRAIN_SPREAD_S": "2"}
    with Deployment(tmp_path, app=MANY_WAYS, environ=environ) as deployment:
        deployment.start_publish_server()
        for n in range(3):
            deployment.start_node(f"node{n}", wait=False)
        for node in deployment.nodes:
            node.wait_for_line("the node is ready", 60)
        yield deployment


@pytest.fixture
def balancer(deployment):
    with haproxy_before(deployment) as port:
        yield f"ws://127.0.0.1:{port}/ws"


def restart(deployment, node) -> None:
    """Restart like an orchestrator: SIGTERM, and a new node on the same ports when the old one has ended."""
    assert node.stop(timeout_s=60) == 0
    again = Node(
        node.folder,
        node.port,
        deployment.operator_ports[node.port],
        node.folder.with_suffix(".2.log"),
        deployment.environ,
    )
    deployment.processes.append(again)
    again.wait_for_line("the node is ready", 60)
    wait_for(lambda: get(again.operator_url + "ready")[0] == 200, "a node that is ready again")


def push_all_the_time(deployment, stop, pushed) -> None:
    with deployment.publisher() as publisher:
        while not stop.wait(0.05):
            publisher.push(TOPIC, type="number", data=len(pushed))
            pushed.append(len(pushed))


def test_everybody_gets_every_push_once_and_who_moves_is_back_soon(deployment, balancer):
    stop, pushed = threading.Event(), []
    subscribers = [Subscriber(balancer, f"s{n}", stop) for n in range(SUBSCRIBERS)]
    pushing = threading.Thread(target=push_all_the_time, args=(deployment, stop, pushed))
    for thread in (*subscribers, pushing):
        thread.start()
    try:
        wait_for(lambda: all(s.got for s in subscribers), "everybody's first event", 60)
        for node in list(deployment.nodes):
            restart(deployment, node)
        last = len(pushed)
        wait_for(lambda: all(s.got[-1] > last for s in subscribers), "everybody's last event")
    finally:
        stop.set()
        for thread in (*subscribers, pushing):
            thread.join()
    for subscriber in subscribers:
        assert subscriber.got == list(range(subscriber.got[0], subscriber.got[-1] + 1))
        assert all(subscriber.recovered)
        assert set(subscriber.codes) <= {1012}
        assert max(subscriber.away_s, default=0.0) < BACK_WITHIN_S
    # Everybody was on one of the three; who was moved to one that is restarted later moved again.
    assert sum(len(subscriber.away_s) for subscriber in subscribers) >= SUBSCRIBERS
