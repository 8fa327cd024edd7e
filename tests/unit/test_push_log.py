import logging
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stork_node.protocol.bus import PushFrame, decode_frame, encode_push_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.push import MAX_PUSH_BYTES, Push, decode_push, encode_push
from stork_node.push_log import BeyondLog, Erasure, Followed, Page, SegmentLog, StorageFailed
from tests.malformed import NOW
from tests.unit.push_log_tools import frames, kill, open_log, push, pushes, read_all, segment_files
from tests.unit.test_push import TEXTS, TOPICS, VALUES


@pytest.fixture
def log(tmp_path):
    with open_log(tmp_path / "log") as opened:
        yield opened


def test_a_new_log_is_at_zero_of_an_epoch_of_its_own(tmp_path):
    with open_log(tmp_path / "a") as one, open_log(tmp_path / "b") as two:
        assert (one.tail.sequence, one.floor, one.segments) == (0, 0, 1)
        assert one.tail.epoch != two.tail.epoch
        assert one.read(0) == Page(0, [])


def test_a_batch_is_numbered_in_order_and_its_frames_are_those_of_the_bus(log):
    entries = log.append(pushes(3))
    assert [entry.position for entry in entries] == [Position(log.tail.epoch, number) for number in (1, 2, 3)]
    assert frames(entries) == [
        encode_push_frame(entry.position, log.run, push(i), log.prove(entry.position.sequence))
        for i, entry in enumerate(entries)
    ]
    assert log.append([push()])[0].position == log.tail == Position(log.tail.epoch, 4)


def test_nothing_is_stored_of_nothing(log):
    assert log.append([]) == []
    assert log.tail.sequence == 0


def test_a_batch_is_one_write(log, monkeypatch):
    written = []
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: written.append(len(data)) or write(fd, data, at))
    log.append(pushes(1000))
    assert len(written) == 1


def test_what_was_stored_is_read_as_it_was_published(log):
    entries = log.append(pushes(10))
    assert log.read(0) == Page(0, frames(entries))
    assert log.read(4) == Page(4, frames(entries)[4:])
    assert list(log.read(8).numbered()) == [(9, entries[8].frame), (10, entries[9].frame)]
    assert log.read(10) == Page(10, [])


def test_what_was_appended_last_is_followed_as_it_is_published(log):
    for first in (0, 3):
        entries = log.append([push(1), push(2, store=False), Erasure("v1.a.1")])
        assert log.follow(first) == Followed(frames(entries), log.tail)
        assert log.follow(log.tail.sequence) == Followed([], log.tail)


def test_what_was_appended_before_is_followed_as_the_log_has_it(log):
    entries = log.append([push(1), push(2, store=False), push(3)]) + log.append(pushes(2))
    kept = [entry.frame for entry in entries if entry.kept]
    assert log.follow(0) == Followed(kept, log.tail)
    assert log.follow(1) == Followed(kept[1:], log.tail)
    with pytest.raises(BeyondLog):
        log.follow(6)


def test_of_a_push_that_is_not_to_be_stored_the_log_has_the_number_only(log, tmp_path):
    entries = log.append([push(1), push(2, store=False), push(3)])
    assert b'"store":false' in entries[1].frame
    assert log.read(0).frames == [entries[0].frame, None, entries[2].frame]
    assert b'{"id":2}' not in segment_files(tmp_path / "log")[0].read_bytes()


@pytest.mark.parametrize("max_bytes", [0, 1, 400, 1000, 10_000, 1 << 20])
def test_pages_are_no_larger_than_asked_for_and_have_one_push_at_least(tmp_path, max_bytes):
    with open_log(tmp_path, segment_bytes=5000) as log:
        entries = log.append(pushes(10)) + log.append(pushes(200)) + log.append(pushes(7, store=False))
        at, found = 0, []
        while at < log.tail.sequence:
            page = log.read(at, max_bytes)
            assert len(page.frames) == 1 or sum(len(frame or b"") for frame in page.frames) <= max_bytes
            found += page.frames
            at = page.last
    assert found == frames(entries)[:210] + [None] * 7


def test_a_push_larger_than_a_page_or_a_segment_is_a_page_of_its_own(tmp_path):
    with open_log(tmp_path, segment_bytes=1000) as log:
        large = Push(("v1.a.1",), "t", b'"%b"' % (b"x" * (MAX_PUSH_BYTES - 100)), NOW)
        entries = log.append([push(1)]) + log.append([push(2), large, push(3)])
        assert [log.read(at, 4096).frames for at in range(4)] == [[entry.frame] for entry in entries]


def test_reading_goes_on_across_segments_and_after_more_was_stored(tmp_path):
    with open_log(tmp_path, segment_bytes=10_000) as log:
        stored = []
        at, found = 0, []
        for _ in range(50):
            stored += frames(log.append(pushes(20)))
            page = log.read(at, 2000)
            found += page.frames
            at = page.last
        assert log.segments > 10
        assert found + read_all(log, at, 2000) == stored
        assert all(log.read(at).frames[0] == stored[at] for at in range(999, 0, -7))


def test_reading_from_where_the_log_does_not_reach_is_refused(log):
    log.append(pushes(3))
    for after in (-1, 4):
        with pytest.raises(BeyondLog) as caught:
            log.read(after)
        assert str(caught.value) == f"the log cannot be read from {after}: it reaches from 0 to 3"


@pytest.mark.parametrize("end", [SegmentLog.close, kill], ids=["closed", "killed"])
@pytest.mark.parametrize("sync", ["second", "always", "never"])
def test_a_log_that_is_opened_again_goes_on_where_it_was(tmp_path, end, sync):
    stored = []
    epochs = set()
    for i in range(5):
        log = open_log(tmp_path, sync=sync, segment_bytes=2000)
        assert log.tail.sequence == 10 * i
        assert read_all(log) == stored
        stored += frames(log.append(pushes(10)))
        assert read_all(log) == stored
        log.tick(0.0)
        epochs.add(log.tail.epoch)
        end(log)
    assert len(epochs) == 1


def test_a_log_that_is_opened_and_closed_again_and_again_does_not_grow(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(3))
        tail = log.tail
    before = {path.name: path.read_bytes() for path in segment_files(tmp_path)}
    for _ in range(3):
        with open_log(tmp_path) as log:
            assert log.tail == tail
    assert {path.name: path.read_bytes() for path in segment_files(tmp_path)} == before


def test_a_segment_is_named_by_its_first_sequence(tmp_path):
    with open_log(tmp_path, segment_bytes=1) as log:
        for count in (3, 2, 1):
            log.append(pushes(count))
    names = [path.name for path in segment_files(tmp_path)]
    assert names == ["0000000000000001.segment", "0000000000000004.segment", "0000000000000006.segment"]


def test_a_batch_is_never_in_two_segments(tmp_path):
    with open_log(tmp_path, segment_bytes=1000) as log:
        for _ in range(3):
            log.append(pushes(50))
        assert log.segments == 3


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.lists(TOPICS, min_size=1, max_size=3, unique=True),
                TEXTS.filter(lambda text: 1 <= len(text) <= 255),
                VALUES,
                st.none() | TEXTS.filter(lambda text: 1 <= len(text) <= 128),
                st.lists(st.integers(1, 2**53), max_size=3),
                st.booleans(),
            ),
            max_size=4,
        ),
        max_size=6,
    ),
    st.integers(1, 2000),
    st.integers(1, 2000),
)
@settings(max_examples=60, deadline=None)
def test_any_pushes_come_back_after_a_restart(tmp_path_factory, batches, segment_bytes, max_bytes):
    folder = tmp_path_factory.mktemp("any")
    stored, ids = [], []
    log = open_log(folder, segment_bytes=segment_bytes)
    for batch in batches:
        taken = [
            decode_push(encode_push(topics, type_, data, id=id, exclude=exclude, store=store), NOW)
            for topics, type_, data, id, exclude, store in batch
        ]
        for one, entry in zip(taken, log.append(taken), strict=True):
            frame = decode_frame(entry.frame)
            assert isinstance(frame, PushFrame)
            assert frame.position == entry.position
            stored.append(entry.frame if one.store else None)
            ids += [(one.id, entry.position)] if one.id else []
    kill(log)
    with open_log(folder) as again:
        assert read_all(again, max_bytes=max_bytes) == stored
        assert dict(pair for _, pairs in again.recent_ids() for pair in pairs) == dict(ids)
    shutil.rmtree(folder)


def test_a_log_whose_files_are_moved_away_refuses_pushes(tmp_path, caplog):
    folder = tmp_path / "log"
    log = open_log(folder)
    log.append(pushes(3))
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(StorageFailed) as caught:
        log.append(pushes(1))
    assert str(caught.value) == (
        "cannot store: its files were moved or deleted while it was in use; restart the publish server "
        f"(the log in {folder})"
    )
    with caplog.at_level(logging.ERROR):
        log.tick(1.0)
        log.tick(2.0)
    assert len(caplog.messages) == 1
    assert log.trouble.startswith("cannot go on: its files were moved")
    (tmp_path / "elsewhere").rename(folder)
    assert log.append(pushes(1))[0].position.sequence == 4
    log.close()


def test_a_log_replaced_under_a_running_server_refuses_pushes(tmp_path):
    folder = tmp_path / "log"
    log = open_log(folder)
    log.append(pushes(3))
    shutil.copytree(folder, tmp_path / "copy")
    log.append(pushes(3))
    folder.rename(tmp_path / "gone")
    (tmp_path / "copy").rename(folder)
    before = segment_files(folder)[0].read_bytes()
    with pytest.raises(StorageFailed):
        log.append(pushes(1))
    log.tick(1.0)
    log.close()
    assert segment_files(folder)[0].read_bytes() == before


def test_the_files_are_for_their_owner_only(tmp_path):
    folder = tmp_path / "log"
    with open_log(folder) as log:
        log.append(pushes(3))
        assert {path.stat().st_mode & 0o777 for path in [folder, *folder.iterdir()]} == {0o700, 0o600}
