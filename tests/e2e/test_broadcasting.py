"""The broadcaster's events equal those of Crossbar's own publish, and keep their order."""

import asyncio
import contextlib
import itertools
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from stork_node.clients.publisher import Publisher
from stork_node.protocol import uris
from tests.e2e.applications import MANY_WAYS
from tests.e2e.broadcasting import Ports, Reader, Sleeper
from tests.e2e.operator_port import samples, value
from tests.gateway import TICKET, Deployment, Node, wait_for
from tests.wamp import PUBLISH, Client

pytestmark = pytest.mark.alone

TOPIC = "v1.open.42"
WHEN = "2026-01-31T12:00:00.000Z"
# Transport, serializer, options of the client.
WAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{f"{name} {kind}": (name, kind, {}) for name in ("web", "universal") for kind in ("json", "msgpack", "cbor")},
    **{f"rawsocket {kind}": ("rawsocket", kind, {}) for kind in ("json", "msgpack", "cbor")},
    "websocket json": ("websocket", "json", {}),
    "websocket json deflate": ("websocket", "json", {"compression": "deflate"}),
    "websocket msgpack deflate": ("websocket", "msgpack", {"compression": "deflate"}),
    "fragments json": ("fragments", "json", {}),
    "tls json": ("tls", "json", {}),
    "tls msgpack": ("tls", "msgpack", {}),
}
KINDS: dict[str, list[tuple[str, str | None]]] = {
    "exact": [(TOPIC, None)],
    "prefix": [("v1.open.", "prefix")],
    "wildcard": [("v1.open.", "wildcard")],
    "several": [(TOPIC, None), ("v1.open.", "prefix"), ("v1.open.4", "prefix"), ("v1.open.", "wildcard")],
}
DATA = [
    None,
    {},
    [],
    "",
    'ä€😀\u2028\\"\n',
    [0, -1, 2**53, 2**64 - 1, -(2**63), 1.5, 1.0, -0.0, 1e300, 5e-324, True, False],
    {"nested": [[[[{"a": {"b": [None]}}]]]]},
    "x" * (1024 * 1024 - 200),
]


class Broadcasting:
    """One node with all transports."""

    def __init__(self, deployment: Deployment, ports: Ports) -> None:
        self.deployment, self._ports = deployment, ports

    @property
    def node(self) -> Node:
        return self.deployment.nodes[0]

    def url(self, name: str) -> str:
        return self._ports.url(name, self.node)

    def join(self, way: str) -> Client:
        name, serializer, options = WAYS[way]
        return Client(self.url(name), serializer=serializer, **options).join("user:joe")


@pytest.fixture(scope="module")
def broadcasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broadcasting]:
    folder = tmp_path_factory.mktemp("broadcasting")
    ports = Ports(folder)
    with Deployment(folder, app=MANY_WAYS, change=ports.add) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield Broadcasting(deployment, ports)
        assert "events go by Crossbar's publish" not in deployment.nodes[0].log


def publish_as_crossbar(backend: Client, topic: str, data: Any, position: str, **options: Any) -> None:
    event = {"type": "t", "data": data, "timestamp": WHEN}
    backend.request(PUBLISH, {"acknowledge": True, **options}, topic, [event], {"position": position})


def receive(client: Client, number: int) -> list[str]:
    """So many messages, as they are but for the publication's id; without what the application tells of joins."""
    messages: list[Any] = []
    while len(messages) < number:
        message = client.receive()
        if message[3].get("topic") != "v1.open.presence":
            messages.append(message)
    return [repr([*message[:2], "publication", *message[3:]]) for message in messages]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_push_arrives_as_if_crossbar_had_published_it(broadcasting, way, kind):
    with broadcasting.join(way) as client, broadcasting.node.backend() as backend:
        for topic, match in KINDS[kind]:
            client.subscribe(topic, match)
        with broadcasting.deployment.publisher() as publisher:
            for data in DATA:
                position = publisher.push(TOPIC, type="t", data=data, timestamp=WHEN)
                pushed = receive(client, len(KINDS[kind]))
                publish_as_crossbar(backend, TOPIC, data, position)
                assert receive(client, len(KINDS[kind])) == pushed


@pytest.mark.parametrize("way", ["web json", "web msgpack", "rawsocket cbor"])
def test_an_excluded_session_gets_what_comes_after(broadcasting, way):
    with broadcasting.join(way) as sender, broadcasting.join(way) as other, broadcasting.node.backend() as backend:
        for client in (sender, other):
            client.subscribe(TOPIC)
            client.subscribe("v1.open.", "prefix")
        with broadcasting.deployment.publisher() as publisher:
            position = publisher.push(TOPIC, type="t", data=1, timestamp=WHEN, exclude=[sender.session_id])
            publish_as_crossbar(backend, TOPIC, 1, position, exclude=[sender.session_id])
            publisher.push(TOPIC, type="t", data=2, timestamp=WHEN)
        heard = receive(other, 6)
        assert heard[:2] == heard[2:4]
        assert receive(sender, 2) == heard[4:]


@pytest.mark.parametrize("way", ["web json", "universal json", "websocket json deflate"])
def test_json_clients_get_the_very_bytes_that_were_pushed(broadcasting, way):
    data = '{ "a" : 1.50e1,\t"\\u00e4ä": [ -0 , 1E2 ] }'
    document = f'{{"topics": ["{TOPIC}"], "type": "t", "data": {data}, "timestamp": "{WHEN}"}}'
    with broadcasting.join(way) as client, zmq.Context() as context, context.socket(zmq.PUSH) as push:
        client.subscribe(TOPIC)
        push.connect(broadcasting.deployment.pull)
        push.send_string(document)
        client.receive()
        assert f'"data":{data},' in client.received


def test_each_topic_of_a_push_is_a_publication(broadcasting):
    with broadcasting.join("web json") as client, broadcasting.deployment.publisher() as publisher:
        one, two = client.subscribe("v1.open.1"), client.subscribe("v1.open.2")
        prefix = client.subscribe("v1.open.", "prefix")
        publisher.push(["v1.open.1", "v1.open.2"], type="t")
        messages = [client.receive() for _ in range(4)]
    assert [message[1] for message in messages] == [one, prefix, two, prefix]
    assert [message[3] for message in messages] == [{}, {"topic": "v1.open.1"}, {}, {"topic": "v1.open.2"}]
    publications = [message[2] for message in messages]
    assert publications[0] == publications[1] != publications[2] == publications[3]


async def live(url: str, chance: random.Random, joining: asyncio.Semaphore) -> list[Reader]:
    """Three lives of a client: it joins, reads some events, and leaves, unsubscribing first or not."""
    lives = []
    for _ in range(3):
        async with joining:
            reader = await Reader.join(url, "v1.test.order")
        lives.append(reader)
        await reader.read(chance.randint(1, 200))
        if chance.random() < 0.5:
            await reader.unsubscribe()
        await reader.close()
    return lives


def push_until(over: threading.Event, deployment: Deployment) -> None:
    with deployment.publisher() as publisher:
        while not over.is_set():
            publisher.push_many([{"topics": ["v1.test.order"], "type": "t"}] * 20)


async def lives_under_load(deployment: Deployment, clients: int) -> list[Reader]:
    over = threading.Event()
    pushing = asyncio.ensure_future(asyncio.to_thread(push_until, over, deployment))
    joining, chance = asyncio.Semaphore(50), random.Random(1)
    try:
        lives = await asyncio.gather(*(live(deployment.nodes[0].url, chance, joining) for _ in range(clients)))
    finally:
        over.set()
        await pushing
    return [reader for each in lives for reader in each]


def test_500_subscribers_that_come_and_go_see_every_position_in_order(tmp_path):
    with Deployment(tmp_path) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        readers = asyncio.run(lives_under_load(deployment, 500))
    assert len(readers) == 1500
    assert sum(len(reader.sequences) for reader in readers) > 50_000
    for reader in readers:
        first, last = reader.sequences[0], reader.sequences[-1]
        assert reader.sequences == list(range(first, last + 1))


def test_a_flood_of_pushes_leaves_their_share_to_joins_calls_and_pings(tmp_path):
    """More is pushed than one node can write to 50 readers; each of the 20 is served between two slices of it."""
    over, written = threading.Event(), []
    with Deployment(tmp_path) as deployment, contextlib.ExitStack() as at_the_end:
        deployment.start_publish_server()
        node = deployment.start_node()
        flood = threading.Thread(target=flood_until, args=(over, deployment))
        for _ in range(50):
            reader = Sleeper(node.url, "v1.test.flood", TICKET)
            at_the_end.callback(reader.close)
            reading = threading.Thread(target=reader.ended)  # which reads, and keeps nothing
            reading.start()
            at_the_end.callback(reading.join)
        at_the_end.callback(node.stop)
        at_the_end.callback(flood.join)
        at_the_end.callback(over.set)
        flood.start()
        for number in range(20):
            with node.join() as client:
                client.subscribe(f"v1.test.{number}")
                assert client.ping()
                assert client.call("virge.stork.example.foo", name="x") == {"bar": "x"}
            written.append(value(samples(node), "stork_broadcast_deliveries_total"))
    assert all(later > earlier for earlier, later in itertools.pairwise(written))
    assert written[-1] - written[0] > 10_000


def flood_until(over: threading.Event, deployment: Deployment) -> None:
    """Push as fast as possible, without waiting for answers."""
    with Publisher(deployment.pull, answered=False) as publisher:
        while not over.is_set():
            publisher.push_many([{"topics": ["v1.test.flood"], "type": "t"}] * 100)


def test_a_push_of_1_mib_to_100_readers_cuts_nobody(shipped):
    async def scenario() -> list[Reader]:
        readers = [await Reader.join(shipped.nodes[0].url, "v1.test.big") for _ in range(100)]
        with shipped.publisher(timeout_ms=20_000) as publisher:
            await asyncio.to_thread(publisher.push, "v1.test.big", type="t", data="x" * (1024 * 1024 - 200))
            position = await asyncio.to_thread(publisher.push, "v1.test.big", type="after")
        sequence = int(position.partition(":")[2])
        for reader in readers:
            await reader.read(2)
            assert reader.sequences == [sequence - 1, sequence]
            await reader.close()
        return readers

    asyncio.run(scenario())
    assert "too slow" not in shipped.nodes[0].log


SLEEPERS_TOPIC = "v1.open.slow"


@pytest.mark.parametrize("name", ["web", "websocket", "universal", "rawsocket", "tls"])
def test_a_stalled_reader_is_cut_and_another_gets_everything(broadcasting, name):
    sleeper = Sleeper(broadcasting.url(name), SLEEPERS_TOPIC, "user:joe")
    with broadcasting.join("web json") as client, broadcasting.deployment.publisher(timeout_ms=20_000) as publisher:
        client.subscribe(SLEEPERS_TOPIC)
        # More than the bound and what the system's own buffers take.
        positions = [publisher.push(SLEEPERS_TOPIC, type="t", data="x" * 1_000_000) for _ in range(16)]
        assert [client.event()[2]["position"] for _ in positions] == positions
        assert sleeper.ended()
        sleeper.close()
        position = publisher.push(SLEEPERS_TOPIC, type="after")
        assert client.event()[2]["position"] == position


@pytest.mark.parametrize("name", ["web", "rawsocket", "tls"])
def test_bytes_that_wait_for_ten_seconds_cut_a_reader_though_they_are_few(broadcasting, name):
    sleeper = Sleeper(broadcasting.url(name), SLEEPERS_TOPIC, "user:joe")
    with broadcasting.deployment.publisher(timeout_ms=20_000) as publisher:
        for _ in range(4):
            publisher.push(SLEEPERS_TOPIC, type="t", data="x" * 1_000_000)
    with broadcasting.node.backend() as backend:
        wait_for(lambda: backend.call("wamp.subscription.lookup", SLEEPERS_TOPIC) is None, "the cut", timeout_s=30)
    assert sleeper.ended()
    sleeper.close()


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had since ``forget_peak``."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def test_50_of_500_that_do_not_read_are_cut_within_bounds_and_harm_nobody(tmp_path):
    """Each sleeper may hold 4 MiB of earlier pushes and one batch; 20 MB of pushes would be 1 GB for all 50."""
    pushes, size = 200, 100_000
    with Deployment(tmp_path) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        [router] = node.workers("RouterController")
        sleepers = [Sleeper(node.url, "v1.test.slow", TICKET) for _ in range(50)]

        async def scenario() -> int:
            readers = [await Reader.join(node.url, "v1.test.slow") for _ in range(450)]
            reading = asyncio.gather(*(reader.read(pushes) for reader in readers))
            forget_peak(router)
            before = peak_bytes(router)
            with deployment.publisher(timeout_ms=60_000) as publisher:
                for number in range(10, pushes + 1, 10):
                    some = [{"topics": ["v1.test.slow"], "type": "t", "data": "x" * size}] * 10
                    await asyncio.to_thread(publisher.push_many, some)
                    # 450 readers in one process of Python's are slow ones as well, unless they are waited for.
                    while not reading.done() and any(len(reader.sequences) < number for reader in readers):
                        await asyncio.sleep(0.01)
            await reading
            assert peak_bytes(router) - before < 50 * (4 * 1024 * 1024 + 10 * size) + 200_000_000
            for reader in readers:
                first = reader.sequences[0]  # nodes have entries of their own before it
                assert reader.sequences == list(range(first, first + pushes))
                await reader.close()
            return first + pushes - 1

        last = asyncio.run(scenario())
        assert all(sleeper.ended() for sleeper in sleepers)
        assert value(samples(node), "stork_broadcast_slow_readers_total") == 50
        for sleeper in sleepers:
            sleeper.close()
        # One that was cut at the push before the last three comes back, recovers, and gets what comes then.
        with node.join() as client, deployment.publisher() as publisher:
            client.subscribe("v1.test.slow")
            epoch = publisher.position().partition(":")[0]
            at = {"v1.test.slow": f"{epoch}:{last - 3}"}
            answer = client.call(uris.RECOVER, at, max_bytes=512 << 10)["v1.test.slow"]
            assert answer["recovered"] is True
            assert [event["position"] for event in answer["events"]] == [f"{epoch}:{last - n}" for n in (2, 1, 0)]
            position = publisher.push("v1.test.slow", type="t")
            assert client.event()[2]["position"] == position
        node.wait_for_line("cut a slow client, session")
