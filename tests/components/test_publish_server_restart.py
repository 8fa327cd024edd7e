"""A restart of the publish server: numbers, pushes and ids that survive it, and new epochs."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from stork_node.protocol.bus import Heartbeat, decode_frame
from stork_node.publish_server import server as server_module
from stork_node.push_log import SegmentLog, log_folder
from tests.components.replaying import all_pages, ask_page, frames_of, numbers_of, request, request_after
from tests.components.served import ANY, DEADLINE_S, Peer, peer, serving, settings, wait_for
from tests.gateway import STORK, free_ports
from tests.malformed import document
from tests.unit.push_log_tools import HERE, REBOOTED, Clock, kill, open_log, push, pushes


def ask(socket: Peer, frame: bytes) -> dict[str, object]:
    socket.send(frame)
    return json.loads(socket.recv())


def push_to(server, *documents: bytes) -> list[dict[str, object]]:
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        return [ask(dealer, each) for each in documents]


def read_whole(server) -> list[int]:
    with peer(zmq.DEALER, server.replay_endpoint) as relay:
        return numbers_of(all_pages(relay))


def test_numbers_and_pushes_go_on_after_a_restart_and_ids_are_still_known(tmp_path):
    with serving(settings(data=tmp_path)) as server:
        first = push_to(server, document(id="k"), document(id="l"))
    with serving(settings(data=tmp_path)) as server:
        again = push_to(server, document(id="k"), document(id="m"))
        assert read_whole(server) == [1, 2, 3]
    assert again[0] == first[0] | {"duplicate": True}
    assert again[1]["position"] == str(first[0]["position"]).replace(":1", ":3")


def test_the_tail_outlives_retention(tmp_path):
    """A restart after retention emptied the log; ids of the last five minutes are known all the same."""
    short = settings(data=tmp_path, retention_s=0.1)
    with serving(short) as server:
        push_to(server, document(), document(), document(id="k"))
        tail = server.position
        with peer(zmq.SUB, server.pub_endpoint) as subscriber:

            def is_empty() -> bool:
                beat = decode_frame(subscriber.recv())
                return isinstance(beat, Heartbeat) and beat.counters["log_pushes"] == 0

            wait_for(is_empty, "the end of all pushes")
    with serving(short) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        page = ask_page(relay, request(tail.epoch, 3, "before"))
        assert (server.position, page.header.floor, page.header.after, page.frames) == (tail, 3, 3, [])
        assert ask_page(relay, request(tail.epoch, 2, "before")).header.after == 3
        assert push_to(server, document())[0]["position"] == f"{tail.epoch}:4"
        assert push_to(server, document(id="k")) == [
            {"ok": True, "id": "k", "position": f"{tail.epoch}:3", "duplicate": True}
        ]


def test_a_new_boot_begins_a_new_epoch_unless_the_log_was_closed(tmp_path):
    for end, keeps in (("killed", False), ("closed", True)):
        folder = tmp_path / end
        log = open_log(folder, machine=HERE)
        before = log.append(pushes(3))[-1].position
        log.close() if end == "closed" else kill(log)
        with serving(log=open_log(folder, machine=REBOOTED)) as server:
            assert server.position.sequence == 3
            assert (server.position.epoch == before.epoch) is keeps
            with peer(zmq.DEALER, server.replay_endpoint) as relay:
                page = ask_page(relay, request(before.epoch, 2, "before"))
            assert numbers_of([page]) == ([3] if keeps else [])


def test_of_two_equal_ids_in_one_batch_one_is_stored(tmp_path, monkeypatch):
    """Both wait while the server takes no pushes yet."""
    monkeypatch.setattr(server_module, "START_GRACE_S", 2.0)
    with open_log(tmp_path) as log:
        log.append(pushes(1))
    with serving(log=open_log(tmp_path)) as server, peer(zmq.DEALER, server.router_endpoint) as dealer:
        for _ in range(3):
            dealer.send(document(id="k"))
        answers = [json.loads(dealer.recv()) for _ in range(3)]
        assert answers[1] == answers[2] == answers[0] | {"duplicate": True}
        assert read_whole(server) == [1, 2]


class Paused(SegmentLog):
    """Stops a server, once it has stored something, and lets six minutes pass."""

    jump = staticmethod(lambda: None)

    def append(self, pushes):
        entries = super().append(pushes)
        self.jump()
        return entries


class FakeTime:
    """The module ``time`` as the server sees it."""

    def __init__(self) -> None:
        self._time, self.ahead_s = server_module.time, 0.0

    def monotonic(self) -> float:
        return self._time.monotonic() + self.ahead_s

    def time(self) -> float:
        return self._time.time() + self.ahead_s


def test_an_id_is_known_after_a_stop_of_six_minutes_before_the_answer(tmp_path, monkeypatch):
    fake = FakeTime()
    monkeypatch.setattr(server_module, "time", fake)
    log = Paused(tmp_path)
    log.jump = lambda: setattr(fake, "ahead_s", 360.0)
    with serving(log=log) as server:
        first, again = push_to(server, document(id="k"), document(id="k"))
        assert again == first | {"duplicate": True}


def test_an_id_is_known_after_an_outage_of_six_minutes_before_the_answer(tmp_path):
    clock = Clock()
    log = open_log(tmp_path, clock=clock)
    stored = log.append([push(id="k")])[0].position
    kill(log)
    clock.now += 360
    with serving(log=open_log(tmp_path, clock=clock)) as server:
        assert push_to(server, document(id="k")) == [
            {"ok": True, "id": "k", "position": str(stored), "duplicate": True}
        ]


def publish_server(data: Path, *endpoints: str, **flags: str) -> "subprocess.Popen[str]":
    named = [f"--{name}={value}" for name, value in zip(("pull", "router", "pub", "replay"), endpoints, strict=True)]
    more = [f"--{name}={value}" for name, value in flags.items()]
    command = [*STORK, "publish-server", "--data", str(data), *named, *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def outcome(data: Path, **flags: str) -> tuple[int, list[str]]:
    """The status of a publish server that cannot start, and what it said."""
    _, said = (process := publish_server(data, *[ANY] * 4, **flags)).communicate(timeout=DEADLINE_S)
    return process.returncode, [line.partition(" ")[2] for line in said.splitlines()]


def test_a_second_publish_server_on_the_same_log_refuses_with_one_sentence(tmp_path):
    with serving(settings(data=tmp_path)) as server:
        status, lines = outcome(tmp_path)
        assert status == 2
        assert len(lines) == 1
        assert lines[0].startswith(f"error publish the log in {tmp_path}/log is held by process ")
        assert lines[0].endswith(": there is one publish server per deployment")
        assert push_to(server, document())[0]["ok"]


def test_a_damaged_log_ends_it_with_status_1_and_one_sentence(tmp_path):
    with open_log(log_folder(tmp_path), segment_bytes=1) as log:
        log.append(pushes(1))
        log.append(pushes(1))
    file = log_folder(tmp_path) / "0000000000000001.segment"
    file.write_bytes(file.read_bytes().replace(b'"id":0', b'"id":9'))
    status, lines = outcome(tmp_path)
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"error publish {file} is damaged at byte ")


@pytest.mark.parametrize("name", ["file", "/proc/nowhere"])
def test_an_unusable_folder_ends_it_with_status_2_and_one_sentence(tmp_path, name):
    (tmp_path / "file").write_text("")
    status, lines = outcome(tmp_path / name)
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"error publish the log in {tmp_path / name}/log cannot be used: ")


def test_an_older_copy_begins_a_new_epoch_when_a_relay_ahead_asks(tmp_path):
    data, copy = tmp_path / "data", tmp_path / "copy"
    with serving(settings(data=data)) as server:
        push_to(server, *[document(data="first")] * 5)
    shutil.copytree(data, copy)
    with serving(settings(data=data)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        push_to(server, *[document(data="seen by relays")] * 2)
        seen = all_pages(relay)[-1].header
        assert seen.last == 7
    shutil.rmtree(data)
    copy.rename(data)
    with serving(settings(data=data)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        # It is late: the numbers that it has seen were given a second time.
        push_to(server, *[document(data="the second 6 and 7")] * 2)
        assert server.position.epoch == seen.epoch
        page = ask_page(relay, request_after(seen))
        assert page.header.epoch != seen.epoch
        assert page.frames == []
        assert push_to(server, document())[0]["position"] == f"{page.header.epoch}:8"


def restore(copy: Path, data: Path) -> None:
    shutil.rmtree(data)
    shutil.copytree(copy, data)


def test_the_same_older_copy_used_twice_gives_no_number_twice(tmp_path):
    """The second time no relay follows the copy's epoch any more: they follow one of which it knows nothing."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    with serving(settings(data=data)) as server:
        push_to(server, *[document(data="first")] * 5)
    shutil.copytree(data, copy)
    with serving(settings(data=data)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        push_to(server, document(data="the first 6"))
        seen = [all_pages(relay)[-1].header]
    for _ in range(2):
        restore(copy, data)
        with serving(settings(data=data)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
            header = ask_page(relay, request_after(seen[-1])).header
            assert push_to(server, document())[0]["position"] == f"{header.epoch}:6"
            # Others that ask later with what they knew begin no further one.
            for other in seen:
                assert ask_page(relay, request_after(other)).header.epoch == header.epoch
            seen.append(header)
    assert len({header.epoch for header in seen}) == 3


def test_a_relay_of_an_epoch_that_the_log_had_before_begins_no_new_one(tmp_path):
    with open_log(log_folder(tmp_path)) as log:
        before = log.append(pushes(3))[-1].position
        log.begin_new_epoch()
        log.append(pushes(1))
    with serving(settings(data=tmp_path)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        header = ask_page(relay, request(before.epoch, before.sequence, "run")).header
        assert header.epoch == str(server.position.epoch) != before.epoch
        assert header.epoch == ask_page(relay, request(before.epoch, 9, "run")).header.epoch


def test_a_relay_of_another_log_begins_no_new_epoch_of_one_that_is_new(tmp_path):
    with serving(settings(data=tmp_path)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        push_to(server, document())
        epoch = server.position.epoch
        assert ask_page(relay, request("another", 12, "run")).header.epoch == epoch


def test_kill_9_under_load_loses_no_answered_push_and_stores_none_twice(tmp_path):
    endpoints = [f"tcp://127.0.0.1:{port}" for port in free_ports(4)]
    answers: dict[str, str] = {}
    number, killed_at = 12_000, [1500, 4000, 7500]

    def without_limits(socket: Peer) -> None:
        socket.sndhwm = socket.rcvhwm = 0
        socket.reconnect_ivl = 20

    process = publish_server(tmp_path, *endpoints)
    try:
        with peer(zmq.DEALER, endpoints[1], without_limits) as dealer:
            todo = [str(i) for i in range(number)]
            while todo or killed_at:
                for id_ in todo[:1000]:
                    dealer.send(document(id=id_, data=int(id_)))
                sent, todo = todo[:1000], todo[1000:]
                while any(id_ not in answers for id_ in sent):
                    answer = json.loads(dealer.recv())
                    assert answer["ok"]
                    assert answers.setdefault(answer["id"], answer["position"]) == answer["position"]
                    if killed_at and len(answers) > killed_at[0]:
                        killed_at.pop(0)
                        process.kill()
                        process.communicate()
                        process = publish_server(tmp_path, *endpoints)
                        # What was sent to the one that is gone, and not answered, is sent again.
                        for id_ in sent:
                            if id_ not in answers:
                                dealer.send(document(id=id_, data=int(id_)))
        with peer(zmq.DEALER, endpoints[3]) as relay:
            frames = [decode_frame(frame) for frame in frames_of(all_pages(relay))]
        stored = {str(json.loads(frame.event)["data"]): str(frame.position) for frame in frames}
        assert len(frames) == number
        assert stored == answers
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        with SegmentLog(log_folder(tmp_path)) as log:
            assert log.tail.sequence == number
    finally:
        process.kill()
        process.communicate()


def test_sigterm_closes_the_log(tmp_path):
    process = publish_server(tmp_path, *[ANY] * 4, sync="never")
    assert process.stderr
    while "publish server is up" not in process.stderr.readline():
        pass
    process.terminate()
    process.communicate(timeout=DEADLINE_S)
    found = subprocess.run(
        [sys.executable, "-m", "stork_node", "log", "info", "--data", str(tmp_path)], capture_output=True, text=True
    )
    assert "state   closed, --sync never" in found.stdout
