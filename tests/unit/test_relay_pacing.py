import pytest

from stork_node.relay.pacing import LEAST, MOST, TURN_S, TurnSize


def after(turns, seconds_a_message):
    size = TurnSize()
    for _ in range(turns):
        size.note(size.messages, size.messages * seconds_a_message)
    return size.messages


def test_a_turn_takes_what_thirty_milliseconds_allow():
    for seconds_a_message in (0.01, 0.001, 0.0001, 0.00001):
        wanted = max(LEAST, min(MOST, TURN_S / seconds_a_message))
        assert after(20, seconds_a_message) == pytest.approx(wanted, rel=0.05)


def test_messages_that_cost_next_to_nothing_have_a_bound_too():
    assert after(50, 0.0) == MOST


def test_a_turn_that_was_too_long_makes_the_next_one_short_at_once():
    size = TurnSize()
    size.note(200, 3.0)
    assert size.messages == LEAST


def test_a_turn_that_had_little_to_take_says_nothing():
    size = TurnSize()
    size.note(1, 0.001)
    size.note(0, 0.0)
    assert size.messages == 256
