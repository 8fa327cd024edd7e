"""``stork log erase`` on real files and a real server: the bytes are gone, and relays are told."""

import json

import pytest
import zmq
from click.testing import CliRunner

from stork_node.cli.log import log as command
from stork_node.clients.eraser import EraseFailed, ask_to_erase
from stork_node.errors import ConfigError, InvalidTopic
from stork_node.protocol.bus import EraseFrame, PushFrame, decode_frame
from stork_node.protocol.replay import Erasing
from stork_node.push_log import Erasure, SegmentLog, StorageFailed, UnusableFolder, log_folder
from stork_node.push_log.inspection import verify
from tests.components.replaying import all_pages, frames_of, request
from tests.components.served import Peer, peer, serving, settings, wait_for
from tests.malformed import document
from tests.unit.push_log_tools import push, pushes

TOPIC, SECRET_DATA = "v1.user.7", "the number of a credit card"


def run(*arguments):
    return CliRunner().invoke(command, ["erase", *arguments], standalone_mode=False)


def push_all(server, number: int) -> None:
    """Of each three pushes, one goes to the topic alone, one to it and another topic, one to another topic."""

    def without_limits(socket: Peer) -> None:
        socket.sndhwm = socket.rcvhwm = 0

    with peer(zmq.DEALER, server.router_endpoint, without_limits) as dealer:
        for i in range(number):
            topics = ([TOPIC], [TOPIC, "v1.a.1"], ["v1.a.1"])[i % 3]
            dealer.send(document(topics=topics, data=SECRET_DATA if i % 3 == 0 else i))
        for _ in range(number):
            assert json.loads(dealer.recv())["ok"]


def bytes_on_disk(data) -> bytes:
    return b"".join(path.read_bytes() for path in log_folder(data).iterdir())


def check_erased(data, frames: list[bytes]) -> None:
    """Nothing but the erasures themselves names the topic."""
    decoded = [decode_frame(frame) for frame in frames]
    assert any(isinstance(frame, EraseFrame) and frame.topic == TOPIC for frame in decoded)
    assert not any(isinstance(frame, PushFrame) and TOPIC in frame.topics for frame in decoded)
    on_disk = bytes_on_disk(data)
    assert SECRET_DATA.encode() not in on_disk
    assert on_disk.count(TOPIC.encode()) == sum(isinstance(frame, EraseFrame) for frame in decoded)
    assert [checked.problem for checked in verify(log_folder(data))] == [""] * len(list(verify(log_folder(data))))


def test_a_running_server_erases_a_topic_and_tells_all_relays(tmp_path):
    with serving(settings(data=tmp_path)) as server:
        push_all(server, 3000)
        assert SECRET_DATA.encode() in bytes_on_disk(tmp_path)
        with peer(zmq.SUB, server.pub_endpoint) as subscriber:
            wait_for(lambda: subscriber.poll(10), "a heartbeat")
            result = run("--data", str(tmp_path), "--server", server.replay_endpoint, TOPIC)
            assert result.output == f"erased 2,000 pushes to {TOPIC}\n"
            while not isinstance(told := decode_frame(subscriber.recv()), EraseFrame):
                pass
        assert (told.topic, told.position.sequence) == (TOPIC, 3001)
        push_all(server, 2)
        with peer(zmq.DEALER, server.replay_endpoint) as relay:
            pages = all_pages(relay)
            frames = frames_of(all_pages(relay, request(pages[0].header.epoch, 0, pages[0].header.run)))
        assert decode_frame(frames[-3]) == told
        # What was pushed afterwards is there.
        assert [decode_frame(frame).position.sequence for frame in frames[-3:]] == [3001, 3002, 3003]
        again = run("--server", server.replay_endpoint, TOPIC)
        assert again.output == f"erased 2 pushes to {TOPIC}\n"
        assert server.counters.erasures == 2
        with peer(zmq.DEALER, server.replay_endpoint) as relay:
            check_erased(tmp_path, frames_of(all_pages(relay)))
    with serving(settings(data=tmp_path)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        check_erased(tmp_path, frames_of(all_pages(relay)))


def test_a_log_that_a_server_holds_is_left_to_that_server(tmp_path, monkeypatch):
    asked = []

    def ask(endpoint, secret, topic):
        asked.append((endpoint, secret, topic))
        yield Erasing(0, is_done=False)
        yield Erasing(3, is_done=True)

    monkeypatch.setattr("stork_node.clients.eraser.ask_to_erase", ask)
    monkeypatch.setenv("STORK_BUS_SECRET", "geheim")
    with SegmentLog(log_folder(tmp_path)) as log:
        log.append(pushes(3))
        result = run("--data", str(tmp_path), TOPIC)
        assert log.tail.sequence == 3
    assert result.output == f"erased 3 pushes to {TOPIC}\n"
    monkeypatch.setenv("STORK_PUBLISH_SERVER", "publish")
    assert run(TOPIC).output == f"erased 3 pushes to {TOPIC}\n"
    for host in ("fd00::7", "[fd00::7]"):
        monkeypatch.setenv("STORK_PUBLISH_SERVER", host)
        assert run(TOPIC).exit_code == 0
    assert run("--server", "tcp://fd00::7:1", TOPIC).exit_code == 0
    assert asked == [
        ("tcp://127.0.0.1:5558", "geheim", TOPIC),
        ("tcp://publish:5558", "geheim", TOPIC),
        ("tcp://[fd00::7]:5558", "geheim", TOPIC),
        ("tcp://[fd00::7]:5558", "geheim", TOPIC),
        ("tcp://[fd00::7]:1", "geheim", TOPIC),
    ]


def test_a_topic_is_erased_in_the_files_when_no_server_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("STORK_PUBLISH_SERVER", "elsewhere")  # --data names the files
    with SegmentLog(log_folder(tmp_path)) as log:
        log.append([push(i, [TOPIC]) for i in range(5)] + pushes(5))
        epoch = log.tail.epoch
    for number in (5, 0):
        assert run("--data", str(tmp_path), TOPIC).output == f"erased {number} pushes to {TOPIC}\n"
    with serving(settings(data=tmp_path)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        frames = [decode_frame(frame) for frame in frames_of(all_pages(relay))]
    assert [frame.position.sequence for frame in frames] == [6, 7, 8, 9, 10, 11, 12]
    assert [frame.topic for frame in frames[-2:]] == [TOPIC, TOPIC]
    assert frames[-1].position.epoch == epoch


def test_cat_shows_erasures(tmp_path):
    with SegmentLog(log_folder(tmp_path)) as log:
        log.append(pushes(1))
        log.append([Erasure(TOPIC)])
    for more in ((), ("--topic", TOPIC)):
        shown = CliRunner().invoke(command, ["cat", "--data", str(tmp_path), *more]).output.splitlines()
        line = json.loads(shown[-1])
        assert line == {"position": line["position"], "time": line["time"], "erases": TOPIC}
        assert len(shown) == (1 if more else 2)


def test_an_encrypted_server_erases_for_who_has_the_secret(tmp_path, monkeypatch):
    with serving(settings(data=tmp_path, secret="geheim")) as server:
        with pytest.raises(EraseFailed) as failed:
            list(ask_to_erase(server.replay_endpoint, "another", TOPIC, answer_s=0.3))
        assert str(failed.value) == (
            f"{TOPIC} is not erased: no answer from {server.replay_endpoint} within 0.3 s "
            "(is it the replay port, and the secret the same?)"
        )
        monkeypatch.setenv("STORK_BUS_SECRET", "geheim")
        assert run("--server", server.replay_endpoint, TOPIC).output == f"erased 0 pushes to {TOPIC}\n"


def test_a_server_that_cannot_erase_says_why_and_can_be_asked_again(tmp_path):
    class Broken(SegmentLog):
        is_broken = True

        def erase(self, topic):
            if self.is_broken:
                raise StorageFailed("No space left on device")
            return super().erase(topic)

    with serving(log=(log := Broken(tmp_path))) as server:
        with pytest.raises(EraseFailed) as failed:
            list(ask_to_erase(server.replay_endpoint, "", TOPIC))
        assert str(failed.value) == f"{TOPIC} is not erased: cannot store: No space left on device"
        log.is_broken = False
        assert list(ask_to_erase(server.replay_endpoint, "", TOPIC))[-1] == Erasing(0, is_done=True)


def test_pushes_are_answered_while_a_topic_is_erased(tmp_path):
    class Watched(SegmentLog):
        """Counts the steps."""

        steps = 0

        def erase(self, topic):
            for number in super().erase(topic):
                self.steps += 1
                yield number

    log = Watched(tmp_path, segment_bytes=1)
    for _ in range(300):
        log.append([push(1, [TOPIC])])
    with serving(log=log) as server, peer(zmq.DEALER, server.router_endpoint) as dealer:
        answers = ask_to_erase(server.replay_endpoint, "", TOPIC)
        assert not next(answers).is_done
        dealer.send(document(topics=[TOPIC]))
        assert json.loads(dealer.recv())["ok"]
        assert log.steps < 300
        assert list(answers)[-1] == Erasing(300, is_done=True)


def test_progress_is_shown_where_it_takes_longer(tmp_path, monkeypatch):
    monkeypatch.setattr("stork_node.cli.log._PROGRESS_S", 0.0)
    with SegmentLog(log_folder(tmp_path)) as log:
        log.append([push(1, [TOPIC])] * 3)
    result = run("--data", str(tmp_path), TOPIC)
    assert set(result.stderr.splitlines()) == {"erasing: 3 pushes so far"}
    assert result.stdout == f"erased 3 pushes to {TOPIC}\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["v1.user"], InvalidTopic),
        (["--server", "5558", TOPIC], ConfigError),
        (["--data", "/proc/nowhere", TOPIC], UnusableFolder),
    ],
)
def test_wrong_arguments_are_named(arguments, error):
    assert isinstance(run(*arguments).exception, error)
