"""The ids that a restarted publish server still knows: docs/delivery.md#push-document."""

import pytest

from stork_node.protocol.positions import Position
from stork_node.push_log import CorruptLog
from stork_node.push_log.segment_files.recent_ids import forget_ids
from tests.unit.push_log_tools import REBOOTED, Clock, kill, open_log, push, pushes, segment_files


def known(log, **limits):
    return {id: position for _, pairs in log.recent_ids(**limits) for id, position in pairs}


def test_ids_come_back_with_their_positions_and_ages_oldest_first(tmp_path):
    clock = Clock()
    log = open_log(tmp_path, clock=clock)
    log.append([push(id="a"), push(), push(id="b")])
    clock.now += 10
    log.append([push(id="c")])
    clock.now += 5
    log.tick(0.0)
    epoch = log.tail.epoch
    kill(log)
    with open_log(tmp_path, clock=clock) as log:
        assert log.recent_ids() == [
            (15.0, [("a", Position(epoch, 1)), ("b", Position(epoch, 3))]),
            (5.0, [("c", Position(epoch, 4))]),
        ]


@pytest.mark.parametrize("away_s", [0, 360, 100_000])
@pytest.mark.parametrize("end", ["killed", "closed"])
def test_the_time_during_which_nobody_held_the_log_does_not_count(tmp_path, end, away_s):
    """The publish server away for 6 minutes between storing and answering: asked again, it answers with the first."""
    clock = Clock()
    log = open_log(tmp_path, clock=clock, retention_s=1e9)
    log.append([push(id="old")])
    for second in range(299):
        clock.now += 1
        log.tick(float(second))
    log.append([push(id="new")])
    for second in range(299, 310):
        clock.now += 1
        log.tick(float(second))
    log.close() if end == "closed" else kill(log)
    clock.now += away_s
    with open_log(tmp_path, clock=clock, retention_s=1e9) as log:
        assert [(age, [id for id, _ in pairs]) for age, pairs in log.recent_ids()] == [(11.0, ["new"])]


def gone(tmp_path, clock, *ids):
    """A log of one second's retention that had pushes with these ids, and has nothing left of them."""
    log = open_log(tmp_path, clock=clock, retention_s=1.0)
    positions = [log.append([push(id=id)])[0].position for id in ids]
    for second in range(4):
        clock.now += 1
        log.tick(float(second))
    assert log.floor == log.tail.sequence == len(ids)
    return log, positions


def test_ids_outlive_retention(tmp_path):
    clock = Clock()
    log, [a, b] = gone(tmp_path, clock, "a", "b")
    log.append([push(id="c")])
    kill(log)
    with open_log(tmp_path, clock=clock, retention_s=1.0) as log:
        assert known(log) == {"a": a, "b": b, "c": log.tail}
        assert known(log, limit=2) == {"b": b, "c": log.tail}
        assert known(log, since_s=3.0) == {"c": log.tail}


def test_ids_that_outlived_retention_go_after_five_minutes(tmp_path):
    clock = Clock()
    log, _ = gone(tmp_path, clock, "a")
    for second, left in ((295, 1), (297, 0)):
        clock.now = Clock().now + second + 4
        log.tick(float(second))
        assert len(list(tmp_path.glob("*.ids"))) == left
    log.close()
    with open_log(tmp_path, clock=clock) as log:
        assert known(log) == {}


def test_no_more_than_the_limit_outlive_retention(tmp_path):
    log = open_log(tmp_path, clock=(clock := Clock()), retention_s=1.0)
    for second in range(5):
        log.append([push(id=f"{second}"), push(id=f"{second}+")])
        clock.now += 2
        log.tick(2.0 * second)
    log.close()
    assert len(list(tmp_path.glob("*.ids"))) == 5
    forget_ids(tmp_path, 0, limit=3)
    with open_log(tmp_path, clock=clock) as log:
        assert list(known(log)) == ["3", "3+", "4", "4+"]


def test_segments_of_pushes_without_ids_leave_nothing_behind(tmp_path):
    log = open_log(tmp_path, clock=(clock := Clock()), retention_s=1.0)
    log.append([push()])
    for second in range(4):
        clock.now += 1
        log.tick(float(second))
    assert log.floor == 1
    assert list(tmp_path.glob("*.ids")) == []
    log.close()


def test_damaged_ids_are_an_error_that_names_their_file(tmp_path):
    clock = Clock()
    log, _ = gone(tmp_path, clock, "abc")
    log.close()
    [file] = tmp_path.glob("*.ids")
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole.replace(b"abc", b"abd"), whole[1:]):
        file.write_bytes(damaged)
        with open_log(tmp_path, clock=clock) as log, pytest.raises(CorruptLog, match=file.name):
            log.recent_ids()


def test_ids_of_an_epoch_that_is_over_still_count(tmp_path):
    log = open_log(tmp_path)
    before = log.append([push(id="a")])[0].position
    kill(log)
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert log.tail.epoch != before.epoch
        assert known(log) == {"a": before}


def test_ids_of_pushes_that_are_not_stored_count(tmp_path):
    log = open_log(tmp_path)
    log.append([push(id="a", store=False)])
    kill(log)
    with open_log(tmp_path) as log:
        assert list(known(log)) == ["a"]


def test_no_more_than_the_limit_come_back_and_those_are_the_last(tmp_path):
    with open_log(tmp_path, segment_bytes=1000) as log:
        for batch in range(20):
            log.append([push(id=f"{batch}-{i}") for i in range(5)] + pushes(5))
        assert log.segments == 20
        assert list(known(log, limit=7)) == ["18-3", "18-4", "19-0", "19-1", "19-2", "19-3", "19-4"]
        assert len(known(log, limit=1000)) == 100
        assert known(log, limit=0) == {}


def test_an_id_that_was_stored_twice_has_its_last_position(tmp_path):
    """The first one was forgotten before, because there were too many: so the second counts."""
    with open_log(tmp_path) as log:
        log.append([push(id="a"), push(id="b")])
        second = log.append([push(id="a")])[0].position
        assert known(log) == {"a": second, "b": Position(second.epoch, 2)}


@pytest.mark.parametrize("id_", ["é" * 128, "\N{GRINNING FACE}" * 128, "x"])
def test_ids_are_any_text(tmp_path, id_):
    with open_log(tmp_path) as log:
        log.append([push(id=id_)])
        assert list(known(log)) == [id_]


def test_a_clock_that_was_set_back_makes_no_age_negative(tmp_path):
    clock = Clock()
    log = open_log(tmp_path, clock=clock)
    log.append([push(id="a")])
    clock.now -= 100
    log.append([push(id="b")])
    log.tick(0.0)
    kill(log)
    with open_log(tmp_path, clock=clock) as log:
        assert [(age, pairs[0][0]) for age, pairs in log.recent_ids()] == [(0.0, "a"), (100.0, "b")]


def test_a_segment_that_cannot_be_read_any_more_is_an_error(tmp_path):
    with open_log(tmp_path) as log:
        log.append([push(id="a")])
        segment_files(tmp_path)[0].unlink()
        with pytest.raises(CorruptLog, match="No such file"):
            log.recent_ids()
