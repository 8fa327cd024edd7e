"""Schedules of faults."""

from collections import Counter

from tests.chaos.schedule import KINDS, LANES, schedule


def test_a_seed_gives_the_same_faults_again_and_another_seed_others() -> None:
    assert schedule(7, 50) == schedule(7, 50)
    assert schedule(7, 50)[:10] == schedule(7, 10)
    assert schedule(7, 50) != schedule(8, 50)


def test_every_kind_and_every_target_comes_up() -> None:
    faults = schedule(1, 200)
    found = Counter((fault.kind, fault.target) for fault in faults)
    assert set(found) == {(kind, target) for kind, (targets, _) in KINDS.items() for target in targets}
    assert {fault.target for fault in faults} == set(LANES)


def test_twenty_faults_are_enough_for_every_kind() -> None:
    assert Counter(fault.kind for fault in schedule(3, 20)) == {kind: often for kind, (_, often) in KINDS.items()}


def test_faults_last_between_a_second_and_the_longest() -> None:
    seconds = [fault.seconds for fault in schedule(5, 500)]
    assert 1 <= min(seconds) < 2
    assert 13 < max(seconds) <= 15
    assert max(fault.seconds for fault in schedule(5, 500, longest_s=4)) <= 4


def test_a_fault_is_a_line_that_says_what_and_for_how_long() -> None:
    assert str(schedule(7, 1)[0]) == "   1  reset    bus 1              1.4 s, then 1.8 s"


def test_only_some_kinds() -> None:
    assert {fault.kind for fault in schedule(7, 30, only=("reset",))} == {"reset"}
