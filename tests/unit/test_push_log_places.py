"""The start of replay for a new relay, and pages that begin anywhere."""

import random

import pytest

from tests.unit.push_log_tools import Clock, frames, kill, open_log, push, pushes, read_all

_GRAIN = 64 << 10
_HEAD = 33


def fill(log, clock, batches=40, size=100):
    """A batch each second; returns the time and the size of each push."""
    written = []
    for batch in range(batches):
        for entry in log.append(pushes(size)):
            written.append((clock.now, len(entry.frame) + _HEAD))
        clock.now += 1 + batch % 3
    return written


@pytest.mark.parametrize("end", ["open", "killed", "closed"])
@pytest.mark.parametrize("segment_bytes", [1 << 20, 200_000, 1])
def test_the_place_is_not_after_what_is_of_use_and_not_far_before_it(tmp_path, segment_bytes, end):
    clock = Clock()
    log = open_log(tmp_path, clock=clock, segment_bytes=segment_bytes)
    written = fill(log, clock)
    if end != "open":
        log.close() if end == "closed" else kill(log)
        log = open_log(tmp_path, clock=clock, segment_bytes=segment_bytes)
    for keep_s in (0.5, 1, 5, 17, 40, 60, 1000):
        wanted = sum(clock.now - time > keep_s for time, _ in written)
        place = log.place_before(keep_s, 1 << 40)
        assert place <= wanted
        assert sum(size for _, size in written[place:wanted]) <= _GRAIN + written[0][1]
    for keep_bytes in (0, 1, 1000, 100_000, 250_000, 1 << 30):
        left, wanted = keep_bytes, len(written)
        while wanted and (left := left - written[wanted - 1][1]) >= 0:
            wanted -= 1
        place = log.place_before(1e9, keep_bytes)
        assert abs(place - wanted) <= 2
    assert log.place_before(1e9, 1 << 40) == 0
    log.close()


def test_only_pushes_of_this_epoch_are_of_use(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(10))
        log.begin_new_epoch()
        assert log.place_before(1e9, 1 << 40) == 10
        log.append(pushes(5))
        assert log.place_before(1e9, 1 << 40) == 10


def test_a_place_is_found_between_large_pushes_and_in_a_damaged_segment(tmp_path):
    clock = Clock()
    with open_log(tmp_path, clock=clock) as log:
        for _ in range(5):
            clock.now += 1
            large = push(0)
            log.append([large.__class__(large.topics, "t", b'"%b"' % (b"x" * 1_000_000), large.timestamp)])
        clock.now += 0.5
        for keep_s, wanted in ((0.1, 5), (1, 4), (2, 3), (3, 2), (10, 0)):
            assert log.place_before(keep_s, 1 << 40) in (wanted, max(0, wanted - 1))
        file = next(tmp_path.glob("*.segment"))
        file.write_bytes(bytes(file.stat().st_size))
        assert log.place_before(2, 1 << 40) == 5


def test_pages_in_any_order_are_as_those_in_order(tmp_path):
    log = open_log(tmp_path, segment_bytes=300_000)
    stored = []
    for _ in range(30):
        stored += frames(log.append(pushes(100)))
    log.close()
    with open_log(tmp_path) as log:
        places = list(range(0, 3000, 37))
        random.Random(7).shuffle(places)
        for at in places:
            page = log.read(at, 50_000)
            assert page.frames == stored[at : page.last]
        assert read_all(log, max_bytes=10_000) == stored
