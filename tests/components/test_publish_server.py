import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import zmq

from stork_node.errors import ConfigError
from stork_node.protocol.bus import Heartbeat, PushFrame, decode_frame
from stork_node.protocol.push import Push
from stork_node.publish_server import PublishServer
from stork_node.push_log import Entry, SegmentLog, StorageFailed
from tests.components.served import ANY, DEADLINE_S, Peer, is_refused, peer, serving, settings, wait_for
from tests.malformed import document
from tests.vector_files import frame_of, vectors


def ask(socket: Peer, frame: bytes) -> dict[str, object]:
    socket.send(frame)
    return json.loads(socket.recv())


def next_push(subscriber: Peer) -> PushFrame:
    while not isinstance(frame := decode_frame(subscriber.recv()), PushFrame):
        pass
    return frame


def next_heartbeat(subscriber: Peer) -> Heartbeat:
    while not isinstance(frame := decode_frame(subscriber.recv()), Heartbeat):
        pass
    return frame


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def subscriber(server):
    with peer(zmq.SUB, server.pub_endpoint) as socket:
        next_heartbeat(socket)  # it is subscribed
        yield socket


def test_a_push_is_answered_with_its_position_and_published(server, subscriber):
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        answer = ask(dealer, document(id="k", data={"id": 42}, exclude=[7], store=False))
    frame = next_push(subscriber)
    assert answer == {"ok": True, "id": "k", "position": str(frame.position)}
    assert frame.position.sequence == 1
    assert (frame.topics, frame.exclude, frame.store) == (("v1.orders.42",), (7,), False)
    event = json.loads(frame.event)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"type": "order_paid", "data": {"id": 42}}


def test_a_push_on_pull_is_published_and_not_answered(server, subscriber):
    with peer(zmq.PUSH, server.pull_endpoint) as pusher:
        pusher.send(document(type="a"))
        pusher.send(document(type="b"))
        assert [json.loads(next_push(subscriber).event)["type"] for _ in range(2)] == ["a", "b"]
    assert server.counters.accepted == 2


def test_a_req_socket_is_answered_too(server):
    with peer(zmq.REQ, server.router_endpoint) as req:
        assert ask(req, document(id="a"))["ok"] is True
        assert ask(req, b"garbage")["error"] == "invalid_push"
        assert ask(req, document(id="b"))["id"] == "b"


def test_the_position_is_answered_with_the_tail(server):
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        before = ask(dealer, b'{"position":true}')
        pushed = ask(dealer, document())
        after = ask(dealer, b'{"position":true}')
    epoch = str(before["position"]).partition(":")[0]
    assert before == {"ok": True, "position": f"{epoch}:0"}
    assert after == {"ok": True, "position": f"{epoch}:1"} == {"ok": True, "position": pushed["position"]}


def test_an_id_seen_again_gets_the_first_position_and_is_not_published(server, subscriber):
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        first = ask(dealer, document(id="k", type="first"))
        again = ask(dealer, document(id="k", type="first"))
        other = ask(dealer, document(id="k", type="other"))
        ask(dealer, document(id="l", type="next"))
    assert again == first | {"duplicate": True}
    reason = f"id: 'k' is that of another push, which is stored at {first['position']}"
    assert other == {"ok": False, "id": "k", "error": "id_reused", "reason": reason}
    assert [json.loads(next_push(subscriber).event)["type"] for _ in range(2)] == ["first", "next"]


def test_an_id_on_pull_counts_on_the_router_as_well(server):
    with peer(zmq.PUSH, server.pull_endpoint) as pusher, peer(zmq.DEALER, server.router_endpoint) as dealer:
        pusher.send(document(id="k"))
        wait_for(lambda: server.counters.accepted == 1, "the push on PULL")
        assert ask(dealer, document(id="k"))["duplicate"] is True


@vectors("push_documents", "refused")
def test_a_malformed_push_on_the_router_is_answered_with_its_reason(server, case):
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        answer = ask(dealer, frame_of(case))
        assert (answer["ok"], answer["error"], answer["reason"]) == (False, case["error"], case["reason"])
        assert ask(dealer, document())["position"].endswith(":1")
    assert server.counters.refused.total() == 1


@vectors("push_documents", "refused")
def test_a_malformed_push_on_pull_is_counted_logged_and_passed_over(server, caplog, case):
    with peer(zmq.PUSH, server.pull_endpoint) as pusher:
        pusher.send(frame_of(case))
        pusher.send(document())
        wait_for(lambda: server.counters.accepted == 1, "the good push")
    assert server.counters.refused.total() == 1
    said = f"refused a push on {server.pull_endpoint}: {case['reason']}"
    wait_for(lambda: said in caplog.messages, "the reason in the log")


def test_an_unreadable_push_is_answered_without_an_id_and_another_with_it(server):
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        assert ask(dealer, b"{")["id"] is None
        assert ask(dealer, document(id="k", topics=[]))["id"] == "k"


def test_multipart_garbage_is_refused_and_harms_nobody(server):
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        for frames in ([b"a", b"b"], [b"", b"a", b"b"], [b"", b"", b""], [b""], [b"x"] * 50):
            dealer.send_multipart(frames)
            envelope = [b""] if frames[0] == b"" and len(frames) > 1 else []
            *found, answer = dealer.recv_multipart()
            assert found == envelope
            assert json.loads(answer)["error"] == "invalid_push"
        assert ask(dealer, document())["ok"] is True
    with peer(zmq.PUSH, server.pull_endpoint) as pusher:
        pusher.send_multipart([document(), document()])
        pusher.send(document())
        wait_for(lambda: server.counters.accepted == 2, "the good push")
    assert server.counters.refused == {"frame": 6}


def test_answers_come_in_the_order_of_the_documents_with_5000_outstanding(server):
    with peer(zmq.DEALER, server.router_endpoint, _without_limits) as dealer:
        for i in range(5000):
            dealer.send(b"garbage" if i % 10 == 3 else document(id=str(i % 4990)))
        answers = [json.loads(dealer.recv()) for _ in range(5000)]
    assert [answer["id"] for answer in answers] == [None if i % 10 == 3 else str(i % 4990) for i in range(5000)]
    new = [answer["position"] for answer in answers if answer["ok"] and "duplicate" not in answer]
    assert [int(position.partition(":")[2]) for position in new] == list(range(1, 4492))
    assert sum("duplicate" in answer for answer in answers) == 9


def _without_limits(socket: Peer) -> None:
    socket.sndhwm = socket.rcvhwm = 0


class SlowDisk(SegmentLog):
    """Holds an append, once it is entered, until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.entered, self.let_go = threading.Event(), threading.Event()

    def append(self, pushes: Sequence[Push]) -> list[Entry]:
        self.entered.set()
        assert self.let_go.wait(DEADLINE_S)
        return super().append(pushes)


def test_a_peer_that_leaves_before_its_answer_is_counted_and_harms_nobody(tmp_path):
    log = SlowDisk(tmp_path)
    epoch = log.tail.epoch
    with serving(log=log) as server:
        with peer(zmq.DEALER, server.router_endpoint) as leaves:
            leaves.send(document())
            assert log.entered.wait(DEADLINE_S)
        # The server's I/O thread sees the end of the one before it makes friends with the other.
        assert not is_refused(zmq.DEALER, server.router_endpoint)
        log.let_go.set()
        wait_for(lambda: server.counters.unreachable == 1, "the count")
        with peer(zmq.DEALER, server.router_endpoint) as stays:
            assert ask(stays, document()) == {"ok": True, "id": None, "position": f"{epoch}:2"}


def test_a_flood_of_refused_pushes_is_counted_and_logged_in_a_few_lines(server, caplog):
    with peer(zmq.PUSH, server.pull_endpoint) as pusher:
        for _ in range(1000):
            pusher.send(document(type=""))
            pusher.send(b"a:1:{i:0;i:1;}")
        pusher.send(document())
        wait_for(lambda: server.counters.accepted == 1, "the good push")
    assert server.counters.refused == {"type": 1000, "PHP": 1000}
    refusals = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert refusals == [
        f"refused a push on {server.pull_endpoint}: type: expected a string of length >= 1",
        f"refused a push on {server.pull_endpoint}: "
        "PHP: this looks like PHP serialize() from Virge::Stork: use the PHP class of node/php",
    ]


def test_heartbeats_carry_the_last_number_published_before_them(server, subscriber):
    assert next_heartbeat(subscriber).position.sequence == 0
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        for _ in range(3):
            ask(dealer, document())
    seen = 0
    while seen < 3:
        frame = decode_frame(subscriber.recv())
        if isinstance(frame, PushFrame):
            seen += 1
        assert frame.position.sequence == seen
    beat = next_heartbeat(subscriber)
    assert beat.position.sequence == 3
    assert beat.time.endswith("Z")


class BrokenDisk(SegmentLog):
    broken = True
    attempts = 0

    def append(self, pushes: Sequence[Push]) -> list[Entry]:
        self.attempts += 1
        if self.broken:
            raise StorageFailed("no space left on device")
        return super().append(pushes)


def test_while_pushes_cannot_be_stored_the_router_says_so_and_pull_waits(caplog, tmp_path):
    caplog.set_level(logging.INFO)
    log = BrokenDisk(tmp_path)
    epoch = log.tail.epoch
    with (
        serving(log=log) as server,
        peer(zmq.PUSH, server.pull_endpoint) as pusher,
        peer(zmq.DEALER, server.router_endpoint) as dealer,
    ):
        pusher.send(document(type="held"))
        wait_for(lambda: server.counters.storage_failed, "the failure")
        for i in range(3):
            pusher.send(document(type=str(i)))
        failed = {"ok": False, "id": "k", "error": "storage_failed", "reason": "no space left on device"}
        assert ask(dealer, document(id="k")) == failed
        assert ask(dealer, b'{"position":true}') == {"ok": True, "position": f"{epoch}:0"}
        assert not [message for message in caplog.messages if "again" in message]
        log.broken = False
        wait_for(lambda: server.counters.accepted == 4, "the pushes that waited")
        assert ask(dealer, document(id="k")) == {"ok": True, "id": "k", "position": f"{epoch}:5"}
    assert [m for m in caplog.messages if "store pushes" in m] == [
        "cannot store pushes; PULL is paused, and ROUTER answers storage_failed: no space left on device",
        "can store pushes again; PULL goes on",
    ]


def test_pushes_waiting_on_pull_keep_no_server_busy_that_cannot_store(caplog, tmp_path):
    log = BrokenDisk(tmp_path)
    with serving(log=log) as server, peer(zmq.PUSH, server.pull_endpoint) as pusher:
        pusher.send(document())
        wait_for(lambda: server.counters.storage_failed, "the failure")
        for _ in range(10):
            pusher.send(document())
        attempts, beats = log.attempts, server.counters.heartbeats
        wait_for(lambda: server.counters.heartbeats >= beats + 4, "some heartbeats")
        assert 1 <= log.attempts - attempts <= 20
    assert caplog.messages[-1] == "1 pushes of PULL could not be stored, and are lost"


def test_a_port_in_use_is_one_sentence_that_names_it(server, tmp_path):
    for name in ("pull", "router", "pub", "replay"):
        taken = getattr(server, f"{name}_endpoint")
        with pytest.raises(ConfigError) as caught:
            PublishServer(settings(**{name: taken}, data=tmp_path))
        assert str(caught.value) == (
            f"{name}: {taken} is in use (by another publish server?): there is one per deployment, so stop what "
            f"listens on port {taken.rpartition(':')[2]}, or choose another endpoint"
        )


@pytest.mark.parametrize("endpoint", ["tcp://192.0.2.1:5555", "tcp://no.such.host.invalid:5555"])
def test_an_address_of_another_machine_is_one_sentence(endpoint, tmp_path):
    with pytest.raises(ConfigError) as caught:
        PublishServer(settings(router=endpoint, data=tmp_path))
    assert str(caught.value) == (
        f"router: {endpoint} is not an address of this machine (want tcp://127.0.0.1:5555 or tcp://0.0.0.0:5555)"
    )


def test_nothing_stays_bound_or_held_when_one_endpoint_cannot_be(server, tmp_path):
    with serving() as other:
        free = other.pull_endpoint
    with pytest.raises(ConfigError):
        PublishServer(settings(pull=free, router=server.router_endpoint, data=tmp_path))
    with serving(settings(pull=free, data=tmp_path)) as again:
        assert again.pull_endpoint == free


def test_ports_open_to_others_without_a_secret_are_warned_of(caplog):
    with serving(settings(router="tcp://0.0.0.0:*")) as open_to_all:
        wait_for(lambda: len(caplog.records) == 1, "the warning")
        assert caplog.messages == [
            f"whoever reaches {open_to_all.router_endpoint} can use it: "
            "set STORK_BUS_SECRET, or keep it in a private network"
        ]
    with serving(settings(router="tcp://0.0.0.0:*", secret="geheim")) as closed:
        wait_for(lambda: closed.counters.heartbeats, "its first heartbeat")
        assert len(caplog.records) == 1


RUN = """
import sys
from pathlib import Path
from stork_node.publish_server import PublishServerSettings, run
sys.exit(run(PublishServerSettings(*sys.argv[2:], data=Path(sys.argv[1]))))
"""


def _start(data: Path, *endpoints: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", "-c", RUN, str(data), *endpoints]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_after_what_has_arrived(ending, tmp_path):
    process = _start(tmp_path, *[ANY] * 4)
    try:
        assert process.stderr
        assert f"log {tmp_path}/log: segments: 1, " in process.stderr.readline()
        started = process.stderr.readline()
        endpoints = dict(zip(("pull", "router", "pub", "replay"), _endpoints(started), strict=True))
        with peer(zmq.DEALER, endpoints["router"], _without_limits) as dealer:
            position = ask(dealer, document())["position"]
            for _ in range(500):
                dealer.send(document())
            dealer.recv()  # the others have arrived, or are about to
            process.send_signal(ending)
            assert process.wait(DEADLINE_S) == 0
        last = process.stderr.read().splitlines()[-1]
        assert last.split(" INFO ")[1].startswith(f"publish server has stopped at {str(position).partition(':')[0]}:")
        assert int(last.rpartition(":")[2]) >= 2
    finally:
        process.kill()
        process.wait()
        assert process.stderr
        process.stderr.close()


def _endpoints(line: str) -> list[str]:
    return [word.rstrip(",") for word in line.split() if word.startswith("tcp://")]


def test_a_second_one_on_the_same_port_ends_with_status_2_and_one_line(server, tmp_path):
    process = _start(tmp_path, server.pull_endpoint, ANY, ANY, ANY)
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2
    errors = [line for line in said.splitlines() if " INFO " not in line]
    assert len(errors) == 1
    assert f"pull: {server.pull_endpoint} is in use" in errors[0]
