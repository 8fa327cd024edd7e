import os

import pytest
from msgspec import structs

from stork_node.protocol.bus import EraseFrame, PushFrame, decode_frame
from stork_node.push_log import Erasure, StorageFailed
from stork_node.push_log.inspection import verify
from tests.unit.push_log_tools import Clock, erase_all, frames, kill, open_log, push, pushes, read_all, segment_files

SECRET = "v1.user.7"


def fill(log):
    """Three segments; of each ten pushes two are to SECRET only, and one to another topic too."""
    entries = []
    for _ in range(3):
        batch = [push(i, [SECRET] if i in (2, 5) else [SECRET, "v1.a.1"] if i == 7 else ["v1.a.1"]) for i in range(10)]
        entries += log.append(batch)
    return entries


def without_secret(entries):
    kept = []
    for entry in entries:
        frame = decode_frame(entry.frame)
        assert isinstance(frame, PushFrame)
        if frame.topics == (SECRET,):
            kept.append(None)
        else:
            kept.append(entry.frame.replace(b'"v1.user.7",', b""))
    return kept


@pytest.mark.parametrize("segment_bytes", [1, 64 << 20])
@pytest.mark.parametrize("end", ["killed", "closed", "open"])
def test_a_topics_pushes_are_removed_and_all_others_stay_where_they_were(tmp_path, end, segment_bytes):
    log = open_log(tmp_path, segment_bytes=segment_bytes)
    entries = fill(log)
    read_all(log, max_bytes=500)
    if end != "open":
        log.close() if end == "closed" else kill(log)
        log = open_log(tmp_path, segment_bytes=segment_bytes)
    assert erase_all(log, SECRET) == 9
    assert read_all(log) == read_all(log, max_bytes=500) == without_secret(entries)
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert erase_all(log, SECRET) == 0
    assert log.append(pushes(1))[0].position.sequence == 31
    kill(log)
    with open_log(tmp_path) as log:
        assert (log.tail.epoch, log.tail.sequence) == (entries[0].position.epoch, 31)
        assert read_all(log)[:30] == without_secret(entries)
    assert [checked.problem for checked in verify(tmp_path)] == [""] * len(segment_files(tmp_path))


def test_pushes_are_found_again_where_others_were_removed_before_them(tmp_path):
    with open_log(tmp_path) as log:
        entries = log.append(pushes(1000, topics=[SECRET]))
        for _ in range(10):
            entries += log.append(pushes(300))
        assert [log.read(at).frames[0] for at in (900, 3999)] == [entries[900].frame, entries[3999].frame]
        assert erase_all(log, SECRET) == 1000
        assert [log.read(at).frames[0] for at in (3999, 900, 1000)] == [entries[3999].frame, None, entries[1000].frame]


def test_a_frame_keeps_all_but_the_topic(tmp_path):
    with open_log(tmp_path) as log:
        log.append([push(1, ["v1.a.1", SECRET, "v1.b.2"], exclude=(5, 6), id="k")])
        before = decode_frame(log.read(0).frames[0])
        assert erase_all(log, SECRET) == 1
        after = decode_frame(log.read(0).frames[0])
        assert after == structs.replace(before, topics=("v1.a.1", "v1.b.2"))
        assert before.proof == log.prove(1)
        assert erase_all(log, "v1.a.1") == erase_all(log, "v1.b.2") == 1
        assert log.read(0).frames == [None]


@pytest.mark.parametrize("topic", ["v1.user.70", "v1.user", "user", '{"id"', "v1.a.2"])
def test_nothing_else_is_taken_for_the_topic(tmp_path, topic):
    with open_log(tmp_path) as log:
        entries = fill(log)
        tricky = push(0, ["v1.b.1"])
        tricky = tricky.__class__(tricky.topics, "v1.a.2", b'["v1.a.2"]', tricky.timestamp)
        entries += log.append([tricky])
        assert erase_all(log, topic) == 0
        assert read_all(log) == frames(entries)


def test_an_erased_push_keeps_its_id_as_long_as_it_may_be_seen_again(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock) as log:
        log.append([push(topics=[SECRET], id="old user 7")])
        clock.now += 400
        log.append([push(topics=[SECRET], id="new user 7")])
        assert erase_all(log, SECRET) == 2
        assert [pairs[0][0] for _, pairs in log.recent_ids(since_s=1e6)] == ["new user 7"]
    assert b"old user 7" not in segment_files(tmp_path)[0].read_bytes()


def test_erasing_while_the_log_is_used_takes_what_was_there_when_it_began(tmp_path):
    with open_log(tmp_path, segment_bytes=1) as log:
        entries = fill(log)
        steps = log.erase(SECRET)
        found = next(steps)
        at = log.read(0).last
        entries += log.append([push(topics=[SECRET])])
        found += sum(steps)
        assert found == 9
        assert read_all(log, at) == [*without_secret(entries[:30])[at:], entries[30].frame]


def test_a_segment_that_expires_while_it_is_erased_does_not_come_back(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock, retention_s=100) as log:
        log.append(pushes(20_000, topics=[SECRET]))
        steps = log.erase(SECRET)
        next(steps)
        log.append(pushes(3))
        clock.now += 200
        log.append(pushes(3))
        log.tick(0.0)
        list(steps)
        assert log.floor == 20_000
        assert not (tmp_path / "0000000000000001.segment").exists()


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_fails_leaves_what_was_there(tmp_path, monkeypatch, call):
    log = open_log(tmp_path, segment_bytes=1)
    entries = fill(log)
    log.append(pushes(1, store=False))
    log.close()
    log = open_log(tmp_path)

    def fail(*_):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as failing:
        failing.setattr(os, call, fail)
        with pytest.raises(StorageFailed, match="No space left"):
            erase_all(log, SECRET)
    assert read_all(log) == [*frames(entries), None]
    assert not list(tmp_path.glob("*.tmp"))
    assert erase_all(log, SECRET) == 9
    assert read_all(log) == [*without_secret(entries), None]
    log.close()


def test_an_erasure_has_a_number_and_a_frame_and_outlives_a_later_one(tmp_path):
    with open_log(tmp_path) as log:
        fill(log)
        told = log.append([Erasure(SECRET)])[0]
        assert decode_frame(told.frame) == EraseFrame(told.position, log.run, SECRET, log.prove(told.position.sequence))
        assert told.position == log.tail
        assert erase_all(log, SECRET) == 9
        again = log.append([Erasure(SECRET)])[0]
        assert erase_all(log, SECRET) == 0
        assert log.append(pushes(1))[0].position.sequence == 33
    with open_log(tmp_path) as log:
        assert log.tail.sequence == 33
        assert read_all(log)[30:32] == [told.frame, again.frame]
    assert [checked.problem for checked in verify(tmp_path)] == [""] * len(segment_files(tmp_path))


def test_an_erase_that_was_killed_half_way_can_be_done_again(tmp_path):
    log = open_log(tmp_path, segment_bytes=1)
    entries = fill(log)
    steps = log.erase(SECRET)
    next(steps)
    kill(log)
    (tmp_path / "0000000000000011.tmp").write_bytes(b"half of it")
    with open_log(tmp_path) as log:
        assert erase_all(log, SECRET) == 6
        assert read_all(log) == without_secret(entries)


def test_a_step_of_an_erase_is_a_few_mebibytes(tmp_path):
    with open_log(tmp_path, segment_bytes=64 << 20) as log:
        for _ in range(24):
            log.append([structs.replace(push(topics=[SECRET]), data=b'"%b"' % (b"x" * 1_000_000))])
        found = list(log.erase(SECRET))
        assert sum(found) == 24
        assert max(found) <= 5
        assert log.size < 10_000
