import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.push_log import BeyondLog, SegmentLog
from stork_node.push_log.retention import expired
from stork_node.push_log.segment_files.headers import Header, Origin
from stork_node.push_log.segment_files.segments import Segment
from tests.unit.push_log_tools import Clock, frames, kill, open_log, pushes, read_all, segment_files

ORIGIN = Origin("e", "b", "m", "second")


def segment(number, newest_ms, size):
    made = Segment(None, Header(number, None, 0, ORIGIN), 0)
    made.add(number, newest_ms, size)
    return made


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=10),
    st.integers(0, 150),
    st.integers(0, 100),
    st.integers(0, 500),
)
def test_as_many_of_the_oldest_go_as_have_to_and_never_the_newest(made, now_ms, retention_ms, retention_bytes):
    segments = [segment(i + 1, newest_ms, size) for i, (newest_ms, size) in enumerate(made)]
    number = expired(segments, now_ms, retention_ms, retention_bytes)
    kept = segments[number:]
    assert len(kept) >= min(1, len(segments))
    if number:
        last = segments[number - 1]
        total = last.size + sum(it.size for it in kept)
        assert total > retention_bytes or now_ms - last.newest_ms > retention_ms
    if len(kept) > 1:
        assert sum(it.size for it in kept) <= retention_bytes
        assert now_ms - kept[0].newest_ms <= retention_ms


def test_pushes_stay_for_the_retention_time_and_not_much_longer(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock, retention_s=1000) as log:
        start = clock.now
        written = {}
        for second in range(0, 3000, 10):
            clock.now = start + second
            written[log.append(pushes(1))[0].position.sequence] = second
            log.tick(float(second))
            ages = [second - written[number] for number in range(log.floor + 1, log.tail.sequence + 1)]
            assert max(ages) <= 1110
            gone = [second - written[number] for number in range(1, log.floor + 1)]
            assert min(gone, default=5000) > 1000


def test_the_log_grows_no_larger_than_it_may_and_a_segment(tmp_path):
    with open_log(tmp_path, retention_bytes=100_000, segment_bytes=10_000) as log:
        for second in range(200):
            stored = frames(log.append(pushes(20)))
            log.tick(float(second))
            assert log.size == sum(path.stat().st_size for path in segment_files(tmp_path)) <= 110_000
        assert log.floor > 3000
        assert log.size > 80_000
        with pytest.raises(BeyondLog):
            log.read(log.floor - 1)
        assert read_all(log)[-20:] == stored


def test_segments_are_no_larger_than_a_quarter_of_what_is_kept(tmp_path):
    with open_log(tmp_path, retention_bytes=20_000) as log:
        for second in range(50):
            log.append(pushes(10))
            log.tick(float(second))
            assert log.size <= 25_000


def test_an_idle_log_empties_itself_and_keeps_its_tail(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock, retention_s=100) as log:
        tail = log.append(pushes(5))[-1].position
        for second in range(120):
            assert (log.floor == 0) == (second <= 100)
            clock.now += 1
            log.tick(float(second))
        assert (log.tail, log.floor, log.segments) == (tail, 5, 1)
        before = segment_files(tmp_path)[0].read_bytes()
        clock.now += 10_000
        log.tick(10_000.0)
        assert [path.read_bytes() for path in segment_files(tmp_path)] == [before]


@pytest.mark.parametrize("end", [SegmentLog.close, kill], ids=["closed", "killed"])
def test_a_log_that_is_idle_after_a_restart_empties_itself_too(tmp_path, end):
    clock = Clock()
    log = open_log(tmp_path, clock=clock, retention_s=100)
    tail = log.append(pushes(5))[-1].position
    end(log)
    with open_log(tmp_path, clock=clock, retention_s=100) as log:
        for second in range(120):
            clock.now += 1
            log.tick(float(second))
        assert (log.tail, log.floor, log.segments) == (tail, 5, 1)


def test_old_epochs_go_as_other_pushes_do_and_cannot_be_read(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock, retention_s=100) as log:
        log.append(pushes(5))
        log.begin_new_epoch()
        log.append(pushes(3))
        assert (log.segments, log.floor, len(read_all(log))) == (2, 5, 3)
        clock.now += 50
        log.tick(0.0)
        log.append(pushes(3))
        clock.now += 60
        log.tick(1.0)
        assert (log.floor, log.tail.sequence) == (8, 11)


def test_a_segment_that_is_gone_already_is_no_trouble(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock, retention_s=100, segment_bytes=1) as log:
        for _ in range(3):
            log.append(pushes(3))
        segment_files(tmp_path)[0].unlink()
        clock.now += 200
        log.tick(0.0)
        assert (log.trouble, log.floor) == ("", 9)
