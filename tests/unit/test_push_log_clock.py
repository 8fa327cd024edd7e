"""The log while the wall clock is set: nothing of it expires, and nothing is forgotten."""

import time

import pytest

from stork_node.push_log import SegmentLog
from tests.unit.push_log_tools import HERE, push, read_all

STEPS = [-86_400, -600, -1, 1, 600, 86_400]
REAL = time.time


def named(first):
    return [push(number, id=f"id{number}") for number in range(first, first + 3)]


def open_log(folder):
    return SegmentLog(folder, machine=HERE, retention_s=3600.0, segment_bytes=1)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_deletes_nothing_and_forgets_no_id(tmp_path, monkeypatch, step):
    with open_log(tmp_path) as log:
        log.append(named(1))
        monkeypatch.setattr(time, "time", lambda: REAL() + step)
        log.append(named(4))
        for now in range(3):
            log.tick(float(now))
        assert log.floor == 0
        assert len(read_all(log)) == 6
        assert log.place_before(300, 1 << 20) == 0
        assert log.oldest_age_s < 60
    with open_log(tmp_path) as log:
        ages = [age_s for age_s, _ in log.recent_ids()]
        assert sum(len(stored) for _, stored in log.recent_ids()) == 6
        assert ages == sorted(ages, reverse=True)
        assert max(ages) < 60


def test_a_start_after_a_step_back_counts_on_from_the_last_push(tmp_path, monkeypatch):
    with open_log(tmp_path) as log:
        log.append(named(1))
    monkeypatch.setattr(time, "time", lambda: REAL() - 86_400)
    for first in (4, 7):
        with open_log(tmp_path) as log:
            log.append(named(first))
            log.tick(0.0)
            assert log.floor == 0
    with open_log(tmp_path) as log:
        assert sum(len(stored) for _, stored in log.recent_ids()) == 9
        assert max(age_s for age_s, _ in log.recent_ids()) < 60
