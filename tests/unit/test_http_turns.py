"""The time that HTTP requests of all connections may take in one turn of the reactor."""

import pytest

from stork_crossbar.http.turns import TURN_S, HttpTurns


class Reactor:
    """Turns by hand. (Twisted's ``Clock`` does what a turn adds in the same turn.)"""

    def __init__(self):
        self._calls = []

    def callLater(self, _seconds, call):  # noqa: N802  # Twisted names it
        self._calls.append(call)

    def turn(self):
        calls, self._calls = self._calls, []
        for call in calls:
            call()


class Work:
    """Takes ``cost_s`` of a clock of its own each time."""

    def __init__(self):
        self.reactor, self.now, self.done = Reactor(), 0.0, []
        self.turns = HttpTurns(self.reactor, lambda: self.now)

    def item(self, name, cost_s=TURN_S / 2):
        def work():
            self.now += cost_s
            self.done.append(name)

        return work


def test_what_fits_into_a_turn_is_done_at_once_and_the_rest_in_order():
    work = Work()
    for name in range(5):
        work.turns.do(work.item(name))
    assert work.done == [0, 1]
    work.reactor.turn()
    assert work.done == [0, 1, 2, 3]
    work.turns.do(work.item(5, 0.0))
    assert work.done == [0, 1, 2, 3]
    work.reactor.turn()
    assert work.done == [0, 1, 2, 3, 4, 5]


def test_a_long_one_does_not_keep_the_next_waiting_for_ever():
    work = Work()
    work.turns.do(work.item("long", 5.0))
    work.turns.do(work.item("next"))
    assert work.done == ["long"]
    work.reactor.turn()
    assert work.done == ["long", "next"]


def test_what_is_for_later_waits_for_the_next_turn_and_again():
    work = Work()
    again = work.item("again", 0.0)

    def repeat():
        again()
        work.turns.do_later(repeat)

    work.turns.do_later(repeat)
    assert work.done == []
    for number in range(1, 4):
        work.reactor.turn()
        assert work.done == ["again"] * number


def test_work_that_raises_does_not_end_the_turns():
    work = Work()

    def fail():
        raise ValueError("broken")

    work.turns.do_later(fail)
    work.turns.do_later(work.item("next"))
    with pytest.raises(ValueError, match="broken"):
        work.reactor.turn()
    work.reactor.turn()
    assert work.done == ["next"]
