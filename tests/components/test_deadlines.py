import pytest
from twisted.internet.task import Clock

from stork_crossbar.internals.deadlines import Deadlines


@pytest.fixture
def clock():
    return Clock()


def test_each_is_reached_after_its_own_time(clock):
    deadlines, reached = Deadlines(clock, 5.0), []
    deadlines.set(lambda: reached.append("first"))
    clock.advance(2.0)
    deadlines.set(lambda: reached.append("second"))
    clock.advance(2.9)
    assert reached == []
    clock.advance(0.1)
    assert reached == ["first"]
    clock.advance(2.0)
    assert reached == ["first", "second"]
    assert clock.getDelayedCalls() == []


def test_what_is_cancelled_is_not_reached_and_leaves_no_timer(clock):
    deadlines, reached = Deadlines(clock, 5.0), []
    numbers = [deadlines.set(lambda i=i: reached.append(i)) for i in range(3)]
    assert len(clock.getDelayedCalls()) == 1
    deadlines.cancel(numbers[0])
    deadlines.cancel(numbers[0])
    clock.advance(5.0)
    assert reached == [1, 2]
    last = deadlines.set(lambda: reached.append("never"))
    deadlines.cancel(last)
    assert clock.getDelayedCalls() == []
    deadlines.cancel(numbers[1])


def test_one_that_is_set_or_cancelled_while_others_are_reached(clock):
    deadlines, reached = Deadlines(clock, 5.0), []
    numbers = []

    def first():
        reached.append("first")
        deadlines.cancel(numbers[1])
        deadlines.set(lambda: reached.append("third"))

    numbers.append(deadlines.set(first))
    numbers.append(deadlines.set(lambda: reached.append("second")))
    clock.advance(5.0)
    assert reached == ["first"]
    clock.advance(5.0)
    assert reached == ["first", "third"]
    assert clock.getDelayedCalls() == []


def test_one_that_is_set_when_another_is_reached_does_not_delay_the_next(clock):
    deadlines, reached = Deadlines(clock, 5.0), []
    deadlines.set(lambda: deadlines.set(lambda: reached.append("third")))
    clock.advance(2.0)
    deadlines.set(lambda: reached.append("second"))
    clock.advance(3.0)
    clock.advance(2.0)
    assert reached == ["second"]
    clock.advance(3.0)
    assert reached == ["second", "third"]
