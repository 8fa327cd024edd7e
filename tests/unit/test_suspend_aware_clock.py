from stork_node.clock import SuspendAwareClock


def test_time_counts_while_the_process_runs():
    clock = SuspendAwareClock(3.0, 100.0)
    assert [clock.advance(now) for now in (100.0, 101.5, 104.0)] == [0.0, 1.5, 4.0]


def test_time_for_which_it_was_stopped_counts_as_one_turn():
    clock = SuspendAwareClock(3.0, 100.0)
    clock.advance(101.0)
    assert clock.advance(461.0) == 4.0
    assert clock.advance(462.0) == clock.now == 5.0
