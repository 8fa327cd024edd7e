"""When a log keeps its epoch: docs/delivery.md#position."""

import logging
import shutil
from itertools import product

import pytest

from stork_node.push_log import SegmentLog
from stork_node.push_log.epochs import this_machine
from tests.unit.push_log_tools import (
    ELSEWHERE,
    HERE,
    NOWHERE,
    REBOOTED,
    Clock,
    frames,
    kill,
    open_log,
    pushes,
    read_all,
    segment_files,
)

MACHINES = {"here": HERE, "rebooted": REBOOTED, "elsewhere": ELSEWHERE, "nowhere": NOWHERE}


@pytest.mark.parametrize(
    ("end", "sync", "then"), list(product(["closed", "killed"], ["second", "always", "never"], MACHINES))
)
def test_the_epoch_is_kept_if_closed_or_of_this_boot_or_always_synced(tmp_path, caplog, end, sync, then):
    log = open_log(tmp_path, sync=sync)
    stored, before = frames(log.append(pushes(3))), log.tail
    log.close() if end == "closed" else kill(log)
    kept = end == "closed" or sync == "always" or then == "here"
    caplog.clear()
    with caplog.at_level(logging.WARNING), open_log(tmp_path, machine=MACHINES[then]) as log:
        assert (log.tail == before) == kept
        assert log.tail.sequence == 3
        assert read_all(log) == (stored if kept else [])
        assert log.floor == (0 if kept else 3)
        new = log.append(pushes(1))[0].position
        assert new.sequence == 4
        assert new.epoch == log.tail.epoch
    if kept:
        assert caplog.messages == []
    else:
        assert caplog.messages == [
            f"the log begins a new epoch after {before}: it was not closed cleanly on this boot of this machine "
            f"(--sync {sync}), so its last pushes may be missing; clients must load their state again"
        ]


def test_two_machines_without_a_boot_id_are_not_taken_for_one(tmp_path):
    log = open_log(tmp_path, machine=NOWHERE)
    log.append(pushes(3))
    before = log.tail
    kill(log)
    with open_log(tmp_path, machine=NOWHERE) as log:
        assert log.tail.epoch != before.epoch


@pytest.mark.parametrize("first", ["second", "never"])
def test_a_log_that_nobody_wrote_since_it_was_closed_is_still_closed(tmp_path, first):
    log = open_log(tmp_path, sync=first)
    log.append(pushes(3))
    tail = log.tail
    log.close()
    kill(open_log(tmp_path))
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert log.tail == tail


def test_a_log_is_closed_when_another_process_closes_it_after_a_kill(tmp_path):
    log = open_log(tmp_path)
    log.append(pushes(3))
    tail = log.tail
    kill(log)
    open_log(tmp_path).close()
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert log.tail == tail


def test_a_log_that_was_written_after_it_was_closed_is_not_closed(tmp_path):
    with open_log(tmp_path) as log:
        log.append(pushes(3))
        tail = log.tail
    log = open_log(tmp_path)
    log.append(pushes(1))
    kill(log)
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert (log.tail.sequence, log.floor) == (4, 4)
        assert log.tail.epoch != tail.epoch


def test_what_counts_is_how_the_log_was_written_not_how_it_is_opened(tmp_path):
    log = open_log(tmp_path, sync="second")
    log.append(pushes(3))
    before = log.tail
    kill(log)
    with open_log(tmp_path, sync="always", machine=REBOOTED) as log:
        assert log.tail.epoch != before.epoch


def test_a_log_that_becomes_always_synced_keeps_its_epoch_from_then_on(tmp_path):
    log = open_log(tmp_path, sync="second")
    log.append(pushes(3))
    kill(log)
    log = open_log(tmp_path, sync="always")
    log.append(pushes(3))
    tail = log.tail
    kill(log)
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert log.tail == tail
        assert log.floor == 0


def test_a_log_without_pushes_keeps_its_epoch_through_a_kill(tmp_path):
    log = open_log(tmp_path)
    tail = log.tail
    kill(log)
    log = open_log(tmp_path)
    assert log.tail == tail
    kill(log)
    log = open_log(tmp_path, machine=REBOOTED)
    assert log.tail.epoch != tail.epoch
    assert log.segments == 1
    log.close()


def test_each_unclean_boot_has_an_epoch_of_its_own_and_numbers_go_on(tmp_path):
    epochs = []
    for boot in range(5):
        log = open_log(tmp_path, machine=HERE.__class__(f"boot-{boot}", "m"))
        assert log.tail.sequence == log.floor == 3 * boot
        epochs.append(log.tail.epoch)
        stored = frames(log.append(pushes(3)))
        assert read_all(log) == stored
        kill(log)
    assert len(set(epochs)) == 5


def test_an_epoch_that_begins_while_the_log_runs_goes_on_with_its_numbers(tmp_path):
    log = open_log(tmp_path)
    log.append(pushes(3))
    before = log.tail
    after = log.begin_new_epoch()
    assert (after.sequence, log.tail, log.floor) == (3, after, 3)
    assert after.epoch != before.epoch
    stored = frames(log.append(pushes(2)))
    assert f'"epoch":"{after.epoch}"'.encode() in stored[0]
    assert read_all(log) == stored
    kill(log)
    with open_log(tmp_path) as log:
        assert (log.tail.epoch, log.tail.sequence) == (after.epoch, 5)


def test_an_epoch_that_begins_twice_without_a_push_leaves_nothing_behind(tmp_path):
    log = open_log(tmp_path)
    log.append(pushes(3))
    log.begin_new_epoch()
    after = log.begin_new_epoch()
    assert log.segments == 2
    kill(log)
    with open_log(tmp_path) as log:
        assert log.tail == after


def test_an_older_copy_of_the_log_gives_no_number_twice_once_it_is_known(tmp_path):
    """The same boot keeps its epoch, until a relay has seen more (docs/delivery.md#position): a new one."""
    folder = tmp_path / "log"
    log = open_log(folder)
    log.append(pushes(3))
    shutil.copytree(folder, tmp_path / "copy")
    seen = log.append(pushes(3))[-1].position
    kill(log)
    shutil.rmtree(folder)
    (tmp_path / "copy").rename(folder)
    with open_log(folder) as log:
        assert log.tail < seen
        log.begin_new_epoch()
        assert log.append(pushes(1))[0].position.epoch != seen.epoch


def test_numbers_go_on_after_retention_emptied_the_log(tmp_path):
    clock = Clock()
    log = open_log(tmp_path, clock=clock, retention_s=100)
    log.append(pushes(50))
    tail = log.tail
    for now in range(200):
        clock.now += 1
        log.tick(float(now))
    assert (log.tail, log.floor) == (tail, 50)
    assert b'{"id":' not in b"".join(path.read_bytes() for path in segment_files(tmp_path))
    kill(log)
    log = open_log(tmp_path, clock=clock)
    assert (log.tail, log.floor) == (tail, 50)
    assert log.append(pushes(1))[0].position.sequence == 51
    log.close()
    with open_log(tmp_path, clock=clock, machine=REBOOTED) as log:
        assert (log.tail.epoch, log.tail.sequence) == (tail.epoch, 51)


def test_this_machine_is_one_that_is_known(tmp_path):
    machine = this_machine()
    assert len(machine.boot) == 36
    assert machine == this_machine()
    log = SegmentLog(tmp_path)
    tail = log.tail
    kill(log)
    with SegmentLog(tmp_path) as log:
        assert log.tail == tail
