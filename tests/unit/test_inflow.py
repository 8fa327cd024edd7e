import pytest

from stork_node.transport.inflow import Inflow

DAY_S = 24 * 3600


@pytest.mark.parametrize(("beat_bytes", "control_bytes"), [(16, 8), (82, 32)])
def test_heartbeats_never_wait_however_long_a_peer_stays(beat_bytes, control_bytes):
    inflow, received = Inflow(control_bytes, 0.0), 0
    for now in range(0, 60 * DAY_S, 5):
        received += beat_bytes
        assert inflow.measure(received, float(now + 5)) <= beat_bytes


def test_heartbeats_between_looks_of_a_twentieth_of_a_second():
    inflow = Inflow(8, 0.0)
    for look in range(1, 20 * DAY_S // 100):
        assert inflow.measure(16 * (look // 100), look * 0.05) <= 16


def test_a_peer_that_was_silent_has_saved_nothing():
    inflow = Inflow(8, 0.0)
    for now in range(1, 1000):
        assert inflow.measure(0, float(now)) == 0
    assert inflow.measure(5000, 1000.0) == 4992


def test_what_was_overlooked_is_no_credit_for_later():
    inflow = Inflow(8, 0.0)
    assert inflow.measure(800, 100.0) == 0
    inflow.taken += 5000  # of messages that had less on the wire
    assert inflow.measure(5800, 100.0) == 0
    assert inflow.measure(6800, 100.0) == 1000


def test_what_is_taken_does_not_wait():
    inflow = Inflow(8, 0.0)
    assert inflow.measure(1000, 0.0) == 1000
    inflow.taken += 600
    assert inflow.measure(1000, 0.0) == 400
    inflow.taken += 600
    assert inflow.measure(1000, 0.0) == 0


def test_more_than_heartbeats_adds_up():
    inflow = Inflow(8, 0.0)
    assert [inflow.measure(18 * now, float(now)) for now in range(1, 5)] == [10, 20, 30, 40]
