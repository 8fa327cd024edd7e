"""Proofs: what a log can know to have given out, and nobody can make up (docs/delivery.md#proof)."""

import shutil
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.protocol.bus import decode_frame
from stork_node.protocol.positions import MAX_SEQUENCE, Position
from stork_node.push_log import Erasure, StorageFailed
from stork_node.push_log import epochs as epochs_module
from stork_node.push_log.epochs import MOST_FORMER, origin_after, with_new_epoch
from stork_node.push_log.proofs import Proofs, new_key
from stork_node.push_log.segment_files.headers import (
    MAX_HEADER_BYTES,
    BadHeader,
    Header,
    Origin,
    decode_header,
    encode_header,
)
from tests.unit.push_log_tools import HERE, REBOOTED, frames, kill, open_log, pushes, read_all, segment_files
from tests.unit.test_push_log_full_disk import Disk

KEY = "0123456789abcdef0123456789abcdef"
PLACES = st.tuples(
    st.text("ab:é", max_size=4) | st.just("0123456789abcdef"),
    st.integers(0, MAX_SEQUENCE) | st.integers(0, 3),
    st.text("12:a", max_size=4),
)


def test_a_proof_is_16_characters_and_stays_what_it_is_in_later_releases():
    proofs = Proofs(KEY)
    assert proofs.of(Position("0123456789abcdef", 12), "89abcdef") == "411debb382e7481a"
    assert len({new_key() for _ in range(10)}) == 10
    assert len(new_key()) == 32


@given(PLACES, PLACES)
def test_a_proof_holds_for_one_position_of_one_run_under_one_key(given_out, claimed):
    proofs = Proofs(KEY)
    epoch, sequence, run = given_out[0].replace(":", ""), given_out[1], given_out[2].replace(":", "")
    proof = proofs.of(Position(epoch, sequence), run)
    assert proofs.holds(proof, Position(epoch, sequence), run)
    assert not Proofs(new_key()).holds(proof, Position(epoch, sequence), run)
    is_same = claimed == (epoch, sequence, run)
    assert proofs.holds(proof, Position(claimed[0], claimed[1]), claimed[2]) == is_same


@pytest.mark.parametrize("proof", ["", "0", "é", "0" * 16, "0" * 100_000])
def test_what_is_no_proof_does_not_hold(proof):
    assert not Proofs(KEY).holds(proof, Position("e", 1), "r")


def seen(entry):
    """What a relay that has taken an entry's frame can say of it."""
    frame = decode_frame(entry.frame)
    return frame.position, frame.run, frame.proof


@pytest.mark.parametrize("end", ["closed", "killed"])
@pytest.mark.parametrize("machine", [HERE, REBOOTED])
def test_a_later_run_knows_what_the_log_gave_out(tmp_path, end, machine):
    log = open_log(tmp_path)
    kept = [seen(entry) for entry in log.append([*pushes(2), *pushes(1, store=False), Erasure("v1.a.1")])]
    page = (log.tail, log.run, log.prove(log.tail.sequence))
    log.close() if end == "closed" else kill(log)
    with open_log(tmp_path, machine=machine) as log:
        for position, run, proof in [*kept, page]:
            assert log.has_given(position, run, proof)
            assert not log.has_given(Position(position.epoch, position.sequence + 1), run, proof)
            assert not log.has_given(position, log.run, proof)
        assert kept[3][1:] == page[1:]


def test_a_copy_of_a_log_knows_what_the_log_gave_out_later(tmp_path):
    folder, copy = tmp_path / "log", tmp_path / "copy"
    with open_log(folder) as log:
        log.append(pushes(1))
        shutil.copytree(folder, copy)
        later = seen(log.append(pushes(1))[0])
        log.begin_new_epoch()
        in_a_later_epoch = seen(log.append(pushes(1))[0])
    with open_log(copy) as log:
        assert log.has_given(*later)
        assert log.has_given(*in_a_later_epoch)
        assert in_a_later_epoch[0].epoch not in log.epochs
    with open_log(tmp_path / "another") as log:
        assert not log.has_given(*later)


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_log_of_an_older_release_gets_a_key_before_it_gives_a_number(tmp_path, monkeypatch, end):
    with monkeypatch.context() as older:
        older.setattr(epochs_module, "new_key", lambda: "")
        log = open_log(tmp_path)
        stored, tail = frames(log.append(pushes(3))), log.tail
        log.close() if end == "closed" else kill(log)
    assert b'"key"' not in b"".join(path.read_bytes() for path in segment_files(tmp_path))
    log = open_log(tmp_path)
    assert log.tail == tail
    entry = log.append(pushes(1))[0]
    kill(log)
    with open_log(tmp_path) as log:
        assert log.has_given(*seen(entry))
        assert read_all(log) == [*stored, entry.frame]


def test_a_log_knows_the_epochs_it_had_also_when_their_pushes_are_gone(tmp_path):
    log = open_log(tmp_path, segment_bytes=1, retention_bytes=1)
    epochs = [log.tail.epoch]
    for _ in range(3):
        log.append(pushes(2))
        epochs.append(log.begin_new_epoch().epoch)
    log.append(pushes(2))
    log.tick(0.0)
    assert log.segments == 1
    kill(log)
    with open_log(tmp_path) as log:
        assert log.epochs == set(epochs)
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert log.epochs == set(epochs)


def test_a_log_that_had_too_many_epochs_gets_a_new_key_and_forgets_them():
    origin = origin_after(None, False, HERE, "second")
    assert (len(origin.key), origin.former) == (32, ())
    key, epochs = origin.key, []
    for _ in range(MOST_FORMER):
        epochs.append(origin.epoch)
        origin = with_new_epoch(origin)
        assert (origin.key, origin.former) == (key, tuple(epochs))
    header = Header(MAX_SEQUENCE, MAX_SEQUENCE - 1, 2**53, origin)
    assert len(encode_header(header)) < MAX_HEADER_BYTES
    assert decode_header(encode_header(header))[0] == header
    origin = with_new_epoch(origin)
    assert origin.former == ()
    assert origin.key not in (key, "")


@pytest.mark.parametrize("key", [KEY + "0", "0123456789ABCDEF", "é"])
def test_a_key_that_is_none_makes_a_header_that_is_none(key):
    line = encode_header(Header(1, None, 0, Origin("e", "b", "m", "second", key)))
    with pytest.raises(BadHeader, match="its first line"):
        decode_header(line)


def test_only_the_owner_can_read_the_key(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(1))
        for path in segment_files(tmp_path):
            assert b'"key":"' in path.read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_on_a_full_disk_no_number_is_given_under_a_key_that_is_not_stored(tmp_path, monkeypatch):
    log = open_log(tmp_path)
    log.append(pushes(1))
    kill(log)
    disk = Disk(monkeypatch)
    disk.failing = {"pwrite": 28, "fsync": 28}
    log = open_log(tmp_path, machine=REBOOTED)
    for _ in range(2):
        with pytest.raises(StorageFailed):
            log.append(pushes(1))
    disk.failing = {}
    entry = log.append(pushes(1))[0]
    kill(log)
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert log.has_given(*seen(entry))
