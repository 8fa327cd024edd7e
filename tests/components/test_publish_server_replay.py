"""Replay, as relays ask for it: docs/delivery.md#relay, and the words of ``stork_node.protocol.replay``."""

import json
import shutil
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zmq

from stork_node.protocol.bus import Heartbeat, PushFrame, decode_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import ReplayRefused, ReplayRequest, decode_answer, encode_request
from stork_node.publish_server import server as server_module
from stork_node.transport.curve import ClientKeys, secure_client
from tests.components.replaying import all_pages, ask_page, frames_of, numbers_of, request, request_after
from tests.components.served import Peer, is_refused, peer, serving, settings, wait_for
from tests.malformed import document
from tests.unit.push_log_tools import Clock, frames, open_log, push, pushes


def push_all(server, *documents: bytes) -> list[str]:
    """Push, and return the positions."""
    with peer(zmq.DEALER, server.router_endpoint, without_limits) as dealer:
        for each in documents:
            dealer.send(each)
        return [json.loads(dealer.recv())["position"] for _ in documents]


def without_limits(socket: Peer) -> None:
    socket.sndhwm = socket.rcvhwm = 0


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def relay(server):
    with peer(zmq.DEALER, server.replay_endpoint) as socket:
        yield socket


def test_an_empty_log_has_an_empty_page(server, relay):
    page = ask_page(relay, request())
    header = page.header
    assert (header.floor, header.tail, header.after, header.last, page.frames) == (0, 0, 0, 0, [])
    assert header.epoch == server.position.epoch


def test_a_page_has_the_frames_that_were_published_from_where_it_is_asked(server, relay):
    with peer(zmq.SUB, server.pub_endpoint) as subscriber:
        wait_for(lambda: subscriber.poll(10), "a heartbeat")
        push_all(server, *(document(data=i) for i in range(5)))
        published = []
        while len(published) < 5:
            frame = subscriber.recv()
            if isinstance(decode_frame(frame), PushFrame):
                published.append(frame)
    whole = ask_page(relay, request())
    assert (whole.header.after, whole.header.last, whole.header.tail) == (0, 5, 5)
    assert whole.frames == published
    rest = ask_page(relay, request(whole.header.epoch, 3, whole.header.run))
    assert (rest.header.after, rest.header.last, rest.frames) == (3, 5, published[3:])
    nothing = ask_page(relay, request(whole.header.epoch, 5, whole.header.run))
    assert (nothing.header.after, nothing.header.last, nothing.frames) == (5, 5, [])
    assert (server.counters.replay_pages, server.counters.replay_pushes) == (3, 7)


def test_pushes_that_are_not_stored_have_a_number_and_no_frame(server, relay):
    push_all(server, document(data=1), document(data=2, store=False), document(data=3), document(store=False))
    page = ask_page(relay, request())
    assert (page.header.after, page.header.last, numbers_of([page])) == (0, 4, [1, 3])


def test_a_page_has_about_a_mebibyte_and_one_push_at_least(server, relay):
    push_all(server, *(document(data="x" * 300_000) for _ in range(7)), document(data="y" * 1_000_000))
    pages = all_pages(relay)
    assert [page.header.last for page in pages] == [3, 6, 7, 8]
    assert numbers_of(pages) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_all_pages_are_what_was_published_also_while_more_is_pushed(server, relay):
    published: list[bytes] = []
    number = 20_000

    def follow() -> None:
        while len(published) < number:
            if b" push " in (frame := subscriber.recv())[:15]:
                published.append(frame)

    with peer(zmq.SUB, server.pub_endpoint, without_limits) as subscriber:
        wait_for(lambda: subscriber.poll(10), "a heartbeat")
        follower = threading.Thread(target=follow)
        follower.start()
        with peer(zmq.PUSH, server.pull_endpoint, without_limits) as pusher:
            for i in range(number):
                pusher.send(document(data=[i, "x" * (i % 2000)], store=i % 7 != 0))
            pages = []
            header = request()
            while server.position.sequence < number or header.after < number:
                pages.append(ask_page(relay, header))
                header = request(pages[-1].header.epoch, pages[-1].header.last, pages[-1].header.run)
        follower.join(20)
    assert len(pages) > 15
    assert frames_of(pages) == [frame for i, frame in enumerate(published) if i % 7 != 0]
    assert [page.header.after for page in pages[1:]] == [page.header.last for page in pages[:-1]]


def test_pushes_are_answered_while_relays_read_the_whole_log(server):
    push_all(server, *(document(data="x" * 100_000) for _ in range(100)))
    done = threading.Event()

    def read() -> None:
        with peer(zmq.DEALER, server.replay_endpoint) as socket:
            while not done.is_set():
                all_pages(socket)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        wait_for(lambda: server.counters.replay_pages > 20, "some pages")
        for _ in range(20):
            before = server.counters.replay_pages
            push_all(server, document())
            assert server.counters.replay_pages - before < 40
    finally:
        done.set()
        for reader in readers:
            reader.join(20)


@pytest.mark.parametrize(
    ("frames_sent", "reason"),
    [
        ([b"garbage"], "it does not begin with 'stork' and a protocol number"),
        ([b"stork 1 replay {}"], "its header: Object missing required field `epoch`"),
        ([b"stork 9 replay {}"], "protocol number 9 is not one that this release speaks"),
        ([b"stork 1 page {}"], "b'page' is not a request for replay"),
        ([encode_request(request()), b"more"], "a message of 2 frames, a request is one"),
        ([b'stork 1 erase {"topic":"v1.user"}'], "'v1.user' is not a topic: "),
        ([document()], "it does not begin with 'stork' and a protocol number"),
    ],
)
def test_an_invalid_request_is_refused_with_a_reason_and_the_next_answered(server, relay, frames_sent, reason):
    relay.send_multipart(frames_sent)
    with pytest.raises(ReplayRefused) as refused:
        decode_answer(relay.recv_multipart())
    assert refused.value.reason.startswith(reason)
    assert server.counters.replay_refused == 1
    assert ask_page(relay, request()).header.tail == 0


def test_a_peer_that_asks_and_does_not_read_is_counted_and_holds_nobody_up(server, relay):
    push_all(server, *(document(data="x" * 1_000_000) for _ in range(3)))

    def small(socket: Peer) -> None:
        socket.rcvhwm, socket.rcvbuf = 1, 4096

    with peer(zmq.DEALER, server.replay_endpoint, small) as greedy:
        for _ in range(60):
            greedy.send(encode_request(request()))
        wait_for(lambda: server.counters.replay_refused, "the count")
        assert ask_page(relay, request()).header.tail == 3
        push_all(server, document())


def test_a_relay_without_an_epoch_gets_no_more_than_it_can_use(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock) as log:
        old = log.append(pushes(2000))
        clock.now += 100
        new = log.append(pushes(3000))
        clock.now += 10
        with serving(log=log) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
            for asked in (request(keep_s=50), request("another epoch", 4000, "run", keep_s=50)):
                first = ask_page(relay, asked).header.after
                assert 2000 - 64 * 1024 / len(old[0].frame) < first <= 2000
            # A record has a head of 33 bytes.
            recent = frames(new)[-1000:]
            first = ask_page(relay, request(keep_bytes=sum(len(frame) + 33 for frame in recent))).header.after
            assert 3990 <= first <= 4000
            assert ask_page(relay, request(keep_s=5)).header.after == 5000
            assert ask_page(relay, request(keep_bytes=0)).header.after == 5000
            assert ask_page(relay, request()).header.after == 0


def test_a_relay_that_is_beyond_the_log_gets_what_there_still_is(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock, segment_bytes=1, retention_s=1000) as log:
        log.append(pushes(10))
        clock.now += 2000
        log.append(pushes(10))
        log.tick(0.0)
        assert log.floor == 10
        with serving(log=log) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
            page = ask_page(relay, request(log.tail.epoch, 4, log.run))
            assert (page.header.floor, page.header.after, numbers_of([page])) == (10, 10, list(range(11, 21)))


def has_seen(log, given: int) -> ReplayRequest:
    """What a relay asks that has seen ``given`` numbers which a later run on a copy of ``log`` gave."""
    with TemporaryDirectory() as folder:
        shutil.copytree(log, folder, dirs_exist_ok=True)
        with open_log(Path(folder)) as later:
            last = decode_frame(later.append(pushes(given))[-1].frame)
    assert isinstance(last, PushFrame)
    return request(last.position.epoch, last.position.sequence, last.run, proof=last.proof)


def test_a_relay_that_has_seen_more_than_the_log_begins_a_new_epoch(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(2))
        before = log.tail
    asked = has_seen(tmp_path, 1)
    assert (asked.epoch, asked.after) == (before.epoch, 3)
    with (
        open_log(tmp_path) as log,
        serving(log=log) as server,
        peer(zmq.DEALER, server.replay_endpoint) as relay,
        peer(zmq.SUB, server.pub_endpoint) as subscriber,
    ):
        wait_for(lambda: subscriber.poll(10), "a heartbeat")
        page = ask_page(relay, asked)
        assert page.header.epoch != before.epoch
        assert (page.header.floor, page.header.tail, page.header.after, page.frames) == (2, 2, 2, [])
        wait_for(lambda: decode_frame(subscriber.recv()).position.epoch == page.header.epoch, "its heartbeat")
        assert push_all(server, document()) == [f"{page.header.epoch}:3"]
        # Others that were ahead, too, follow. There is one new epoch at most, whatever is claimed.
        for other in (asked, request("another", 3, "another")):
            assert ask_page(relay, other).header.epoch == page.header.epoch
        assert is_claim_refused(relay, request(page.header.epoch, 4, "another"))
        assert server.counters.epochs == 1


def is_claim_refused(relay: Peer, asked: ReplayRequest) -> bool:
    with pytest.raises(ReplayRefused) as refused:
        ask_page(relay, asked)
    return "is a position that this log never gave" in refused.value.reason


def test_a_position_that_this_run_cannot_have_given_begins_no_epoch(server, relay, caplog):
    push_all(server, document(), document())
    before = server.position
    run = ask_page(relay, request()).header.run
    for claimed in (3, 2**53 - 1):
        for claimed_run in ("", "another", run):
            assert is_claim_refused(relay, request(before.epoch, claimed, claimed_run))
    # Another epoch, of which this log knows nothing, is no claim about this one.
    assert ask_page(relay, request("another", 2**53 - 1, "another")).header.epoch == before.epoch
    assert server.position == before
    assert (server.counters.epochs, server.counters.claims_refused) == (0, 6)
    assert caplog.text.count("never gave") == 1
    assert ask_page(relay, request(before.epoch, 2, run)).frames == []


PROOF = "0123456789abcdef"


def test_a_made_up_claim_after_a_restart_begins_no_epoch(tmp_path, caplog):
    """Of each way to make one up, also from what a stranger reads of this run and of the one before."""
    with serving(settings(data=tmp_path)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        push_all(server, document(), document())
        seen = ask_page(relay, request()).header
    with serving(settings(data=tmp_path)) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        epoch = seen.epoch
        now = ask_page(relay, request()).header
        assert now.proof != seen.proof
        runs, proofs = ("", "x", seen.run, now.run), ("", PROOF, seen.proof, now.proof, "é", "x" * 64)
        for run in runs:
            for proof in proofs:
                for number in (3, 9_000_000_000, 2**53 - 1):
                    assert is_claim_refused(relay, request(epoch, number, run, proof=proof))
                for unknown in ("another", f"{epoch}:{seen.run}:2", "é" * 500, epoch.upper()):
                    # It begins anew, as it would with any other log.
                    page = ask_page(relay, request(unknown, 2, run, proof=proof))
                    assert (page.header.epoch, page.header.after, page.header.last) == (epoch, 0, 2)
        # What is true costs nothing: the log has it.
        assert ask_page(relay, request_after(seen)).header.epoch == epoch
        assert (server.counters.epochs, server.position) == (0, Position(epoch, 2))
        assert server.counters.claims_refused == len(runs) * len(proofs) * 7
    assert caplog.text.count("claims without a proof") == 1
    with serving(settings(data=tmp_path)) as server:
        assert server.position == Position(epoch, 2)


def test_a_relay_without_a_proof_is_told_of_a_break_and_no_other_one_is(tmp_path):
    """A node of an older release, whose log was replaced by an older copy of it."""
    with open_log(tmp_path) as log:
        log.append(pushes(10))
        epoch = log.tail.epoch
    with open_log(tmp_path) as log, serving(log=log) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        for number in (11, 12):
            push_all(server, document())
            assert is_claim_refused(relay, request(epoch, 12, "before"))
            assert server.position.sequence == number
        push_all(server, document())
        header = ask_page(relay, request(epoch, 12, "before")).header
        assert (header.epoch, header.after, header.last, header.tail) == (epoch, 13, 13, 13)
        assert ask_page(relay, request_after(header)).frames == []
        assert ask_page(relay, request(epoch, 10, "before")).header.last == 13
        assert (server.counters.epochs, server.counters.claims_refused) == (0, 3)


def test_a_run_does_not_take_its_own_numbers_for_those_of_an_older_copy(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(2))
        epoch = log.tail.epoch
    with open_log(tmp_path) as log, serving(log=log) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        assert is_claim_refused(relay, request(epoch, 3, log.run))
        assert (server.counters.epochs, server.position.epoch) == (0, epoch)


def test_a_relay_of_an_earlier_run_stays_ahead_after_new_numbers(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(10))
        epoch = log.tail.epoch
    asked = has_seen(tmp_path, 2)
    with open_log(tmp_path) as log, serving(log=log) as server:
        push_all(server, *[document()] * 5)
        with peer(zmq.DEALER, server.replay_endpoint) as relay:
            assert ask_page(relay, request(epoch, 12, log.run)).header.epoch == epoch
            assert ask_page(relay, request(epoch, 10, "before")).header.epoch == epoch
            assert ask_page(relay, asked).header.epoch != epoch


def test_a_server_takes_no_push_before_relays_could_say_they_are_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "START_GRACE_S", 4.0)
    with open_log(tmp_path) as log:
        log.append(pushes(3))
        before = log.tail
    asked = has_seen(tmp_path, 1)
    with (
        open_log(tmp_path) as log,
        serving(log=log) as server,
        peer(zmq.DEALER, server.router_endpoint) as dealer,
        peer(zmq.PUSH, server.pull_endpoint) as pusher,
        peer(zmq.SUB, server.pub_endpoint) as subscriber,
        peer(zmq.DEALER, server.replay_endpoint) as relay,
    ):
        dealer.send(document())
        pusher.send(document())
        beat = decode_frame(subscriber.recv())
        assert isinstance(beat, Heartbeat)
        assert beat.position == before
        page = ask_page(relay, asked)
        assert page.header.epoch != before.epoch
        assert json.loads(dealer.recv())["position"].partition(":")[0] == page.header.epoch
        wait_for(lambda: server.position.sequence == 5, "the push on PULL")


def test_a_fresh_log_takes_pushes_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, "START_GRACE_S", 1000.0)
    for _ in range(2):  # the second time, its epoch goes on, but no number was given
        with serving(settings(data=tmp_path)) as server, peer(zmq.DEALER, server.router_endpoint) as dealer:
            dealer.send(b'{"position":true}')
            assert json.loads(dealer.recv())["ok"]


def test_damage_on_the_disk_is_passed_over_and_said(tmp_path, caplog):
    with open_log(tmp_path, segment_bytes=1) as log, serving(log=log) as server:
        push_all(server, document(data="first"))
        push_all(server, document(data="second"))
        file = tmp_path / "0000000000000001.segment"
        file.write_bytes(file.read_bytes().replace(b"first", b"worst"))
        with peer(zmq.DEALER, server.replay_endpoint) as relay:
            page = ask_page(relay, request(log.tail.epoch, 0, log.run))
            assert (page.header.floor, page.header.after, numbers_of([page])) == (1, 1, [2])
    assert "pushes up to 1 cannot be replayed any more" in caplog.text


def test_replay_is_encrypted_with_the_followers_key():
    secret = "geheim"
    with serving(settings(secret=secret)) as server:

        def with_key(channel):
            return lambda socket: secure_client(socket, ClientKeys.from_secret(secret, channel))

        assert is_refused(zmq.DEALER, server.replay_endpoint)
        assert is_refused(zmq.DEALER, server.replay_endpoint, with_key("push"))
        with peer(zmq.DEALER, server.replay_endpoint, with_key("follow")) as relay:
            assert ask_page(relay, request()).header.tail == 0


def test_heartbeats_say_what_an_operator_wants_to_see(server, relay):
    push_all(server, document(id="k"), document(id="k"))
    with peer(zmq.DEALER, server.router_endpoint) as dealer:
        for frame in (document(type=""), b"a:1:{i:0;i:1;}"):
            dealer.send(frame)
            dealer.recv()
    ask_page(relay, request())
    with peer(zmq.SUB, server.pub_endpoint) as subscriber:
        beat = decode_frame(subscriber.recv())
    assert isinstance(beat, Heartbeat)
    counters = beat.counters
    for name in ("log_bytes", "log_oldest_age_s", "heartbeats"):
        assert counters.pop(name) > 0
    assert counters == {
        "accepted": 1,
        "commands": 0,
        "duplicates": 1,
        "refused": 2,
        "refused_type": 1,
        "refused_php": 1,
        "storage_failed": 0,
        "unreachable": 0,
        "strangers": 0,
        "cut": 0,
        "replay_pages": 1,
        "replay_pushes": 1,
        "replay_refused": 0,
        "erasures": 0,
        "epochs": 0,
        "claims_refused": 0,
        "log_nodes": 0,
        "log_segments": 1,
        "log_pushes": 1,
        "log_trouble": 0,
        "webhooks_waiting": 0,
        "webhooks_oldest_age_s": 0,
        "webhooks_failures": 0,
        "webhooks_resyncs": 0,
        "handlers_waiting": 0,
        "handlers_oldest_age_s": 0,
        "handlers_failures": 0,
        "handlers_resyncs": 0,
    }


def test_frames_of_an_older_run_are_replayed_as_they_were(tmp_path):
    with open_log(tmp_path) as log:
        stored = frames(log.append([push(1), push(2)]))
    with open_log(tmp_path) as log, serving(log=log) as server, peer(zmq.DEALER, server.replay_endpoint) as relay:
        page = ask_page(relay, request())
        assert page.frames == stored
        assert page.header.run == log.run
