"""The opening of a log: torn ends, and damage that a crash does not explain."""

import logging
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stork_node.push_log import BeyondLog, CorruptLog, DamagedLog, MissingSegment
from stork_node.push_log.segment_files.records import SEAL_BYTES
from tests.unit.push_log_tools import REBOOTED, frames, kill, open_log, pushes, read_all, segment_files


def flip(path, offset, bit=0):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def open_or_damage(folder, **more):
    try:
        return open_log(folder, **more), None
    except CorruptLog as damage:
        return None, damage


@pytest.fixture
def killed(tmp_path):
    """A log of three batches with its files' sizes after each; killed. The machine runs on."""
    folder = tmp_path / "log"
    log = open_log(folder, sync="always")
    stored, sizes = [], []
    for _ in range(3):
        stored += frames(log.append(pushes(2)))
        sizes.append(log.size)
    tail = log.tail
    kill(log)
    return folder, stored, sizes, tail


def test_a_torn_tail_is_cut_at_every_byte_of_the_last_push(killed, tmp_path, caplog):
    folder, stored, _, tail = killed
    whole = segment_files(folder)[0].read_bytes()
    last = whole.rindex(b"\xffS")
    for size in range(last, len(whole)):
        copy = tmp_path / str(size)
        shutil.copytree(folder, copy)
        segment_files(copy)[0].write_bytes(whole[:size])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            log = open_log(copy)
        if size > last:
            assert caplog.messages == [
                f"cutting {size - last} bytes after push 5 from the end of {segment_files(copy)[0]}: "
                "a record that was cut short"
            ]
        else:
            assert caplog.messages == []
        assert (log.tail.epoch, log.tail.sequence) == (tail.epoch, 5)
        assert log.append(pushes(1))[0].position == tail
        assert read_all(log)[:5] == stored[:5]
        kill(log)
        with open_log(copy) as log:
            assert log.tail == tail
        shutil.rmtree(copy)


@pytest.mark.parametrize("end", ["killed", "closed", "rebooted"])
def test_a_flipped_bit_is_never_passed_over(killed, tmp_path, end):
    """
    Anywhere in the file: either an error that names it, or, at the very end, a new epoch after a shorter tail; with
    ``--sync always`` and after a power loss, a batch that never was answered.
    """
    folder, stored, sizes, tail = killed
    if end == "closed":
        open_log(folder).close()
    machine = {"machine": REBOOTED} if end == "rebooted" else {}
    whole = segment_files(folder)[0].read_bytes()
    last_push = whole.rindex(b"\xffS", 0, sizes[-1])
    for offset in range(0, len(whole), 3):
        copy = tmp_path / str(offset)
        shutil.copytree(folder, copy)
        path = segment_files(copy)[0]
        flip(path, offset, offset % 8)
        log, damage = open_or_damage(copy, **machine)
        if damage:
            assert damage.file == path
            assert damage.offset <= offset
            assert str(path) in str(damage)
        if log:
            if end == "closed":
                assert offset >= sizes[-1]  # the seal itself
                assert (log.tail.sequence, log.floor) == (6, 6)
                assert log.tail.epoch != tail.epoch
            elif end == "killed":
                assert offset >= last_push
                assert (log.tail.sequence, log.floor) == (5, 5)
                assert log.tail.epoch != tail.epoch
            else:
                assert offset >= sizes[-2]  # the last batch
                assert log.tail.sequence < 6
                assert log.tail.epoch == tail.epoch
                assert read_all(log) == stored[: log.tail.sequence]
            kill(log)
        shutil.rmtree(copy)


def test_a_batch_torn_by_a_power_loss_is_cut_and_the_epoch_kept(killed):
    """With ``--sync always`` it was never answered; its second push may have reached the disk without its first."""
    folder, stored, sizes, tail = killed
    path = segment_files(folder)[0]
    whole = path.read_bytes()
    second = whole.rindex(b"\xffS")
    path.write_bytes(whole[: sizes[1]] + bytes(second - sizes[1]) + whole[second:])
    with open_log(folder, machine=REBOOTED, sync="always") as log:
        assert (log.tail.epoch, log.tail.sequence) == (tail.epoch, 4)
        assert read_all(log) == stored[:4]


def test_damage_in_an_older_segment_is_an_error_that_names_it(tmp_path):
    log = open_log(tmp_path, segment_bytes=1)
    for _ in range(3):
        log.append(pushes(3))
    kill(log)
    path = segment_files(tmp_path)[1]
    data = path.read_bytes()
    flip(path, data.rindex(b'{"id":1}'))
    with pytest.raises(CorruptLog) as caught:
        open_log(tmp_path)
    offset = data.index(b"\xffS", data.index(b'{"id":0}'))
    assert str(caught.value) == (
        f"{path} is damaged at byte {offset}: the checksum of a record is wrong; "
        "to go on without it, move it and all older segments out of the folder"
    )
    for old in segment_files(tmp_path)[:2]:
        old.unlink()
    with open_log(tmp_path) as log:
        assert (log.floor, log.tail.sequence) == (6, 9)


def test_a_segment_that_is_missing_is_an_error_that_names_it(tmp_path):
    log = open_log(tmp_path, segment_bytes=1)
    for _ in range(4):
        log.append(pushes(3))
    kill(log)
    paths = segment_files(tmp_path)
    kept = paths[1].read_bytes()
    paths[1].unlink()
    with pytest.raises(MissingSegment) as caught:
        open_log(tmp_path)
    assert str(caught.value) == (
        f"{paths[1]} is missing, which comes before {paths[2].name}; "
        "to go on without it, move all older segments out of the folder"
    )
    paths[1].write_bytes(kept)
    paths[0].unlink()
    with open_log(tmp_path) as log:
        assert (log.floor, log.tail.sequence) == (3, 12)


def test_segments_of_two_logs_in_one_folder_are_an_error(tmp_path):
    for name, counts in (("a", (3, 3, 3)), ("b", (2, 4, 3))):
        log = open_log(tmp_path / name, segment_bytes=1)
        for count in counts:
            log.append(pushes(count))
        kill(log)
    segment_files(tmp_path / "a")[2].rename(tmp_path / "a" / "0000000000000008.segment")
    with pytest.raises(CorruptLog, match="it begins with push 7, which its name does not say"):
        open_log(tmp_path / "a")
    segment_files(tmp_path / "a")[2].unlink()
    shutil.copy(segment_files(tmp_path / "b")[1], tmp_path / "a")
    with pytest.raises(DamagedLog):
        open_log(tmp_path / "a")


def test_a_segment_that_is_cut_short_and_not_the_newest_is_an_error(tmp_path):
    log = open_log(tmp_path, segment_bytes=1)
    for _ in range(2):
        log.append(pushes(3))
    kill(log)
    path = segment_files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-SEAL_BYTES])
    with pytest.raises(CorruptLog, match="its end is missing"):
        open_log(tmp_path)


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["killed", "closed"]))
@settings(deadline=None, max_examples=60)
def test_garbage_after_the_end_is_cut_and_no_push_is_lost(tmp_path_factory, garbage, end):
    folder = tmp_path_factory.mktemp("garbage")
    log = open_log(folder)
    stored = frames(log.append(pushes(3)))
    log.close() if end == "closed" else kill(log)
    with segment_files(folder)[0].open("ab") as file:
        file.write(garbage)
    with open_log(folder) as log:
        assert log.tail.sequence == 3
        if log.floor == 0:  # else it looks like a push that was damaged, and a new epoch has begun
            assert read_all(log) == stored
        stored = [*read_all(log), *frames(log.append(pushes(3)))]
    for _ in range(2):
        with open_log(folder, machine=REBOOTED) as log:
            assert log.tail.sequence == 6
            assert read_all(log) == stored
    shutil.rmtree(folder)


def test_what_a_crash_left_half_made_is_removed(tmp_path):
    open_log(tmp_path).close()
    leftover = tmp_path / "0000000000000001.tmp"
    leftover.write_bytes(b"stork log 1 {")
    with open_log(tmp_path) as log:
        assert not leftover.exists()
        assert log.tail.sequence == 0


def test_a_crash_between_two_segments_is_no_damage(tmp_path):
    log = open_log(tmp_path, segment_bytes=1)
    log.append(pushes(3))
    log.append(pushes(3))
    tail = log.tail
    kill(log)
    segment_files(tmp_path)[1].unlink()  # as before the second was made
    with open_log(tmp_path) as log:
        assert (log.tail.epoch, log.tail.sequence) == (tail.epoch, 3)
        assert log.append(pushes(3))[-1].position == tail


def test_damaged_pushes_are_beyond_the_log_and_the_next_can_be_read(tmp_path, caplog):
    with open_log(tmp_path, segment_bytes=1) as log:
        entries = [entry for _ in range(3) for entry in log.append(pushes(3))]
        path = segment_files(tmp_path)[1]
        flip(path, path.read_bytes().rindex(b'{"id":1}'))
        assert log.read(0).frames == frames(entries[:3])
        with caplog.at_level(logging.ERROR), pytest.raises(BeyondLog) as caught:
            log.read(3)
        assert (caught.value.floor, log.floor) == (6, 6)
        assert caplog.messages[0].startswith(f"pushes up to 6 cannot be replayed any more: {path} is damaged at byte ")
        with pytest.raises(BeyondLog):
            log.read(0)
        assert read_all(log) == frames(entries[6:])
        assert log.append(pushes(1))[0].position.sequence == 10


def test_pushes_that_changed_places_are_damage(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(4))
        path = segment_files(tmp_path)[0]
        head, *records = path.read_bytes().split(b"\xffS")
        path.write_bytes(b"\xffS".join([head, records[0], records[2], records[1], records[3]]))
        with pytest.raises(BeyondLog) as caught:
            log.read(0)
        assert isinstance(caught.value.__cause__, CorruptLog)
        assert caught.value.__cause__.reason == "push 3 is where 2 should be"
    with pytest.raises(CorruptLog, match="push 3 is where 2 should be"):
        open_log(tmp_path)


def test_a_segment_that_somebody_deletes_is_beyond_the_log(tmp_path):
    with open_log(tmp_path, segment_bytes=1) as log:
        for _ in range(3):
            log.append(pushes(3))
        segment_files(tmp_path)[0].unlink()
        with pytest.raises(BeyondLog):
            log.read(0)
        assert len(log.read(3).frames) == 3
