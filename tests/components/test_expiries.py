"""Sessions end when the wall clock says so, whatever steps it takes."""

import pytest
from twisted.internet.task import Clock

from stork_crossbar.connections.expiries import Expiries

DAY = 86_400.0


class Wall:
    def __init__(self) -> None:
        self.reactor, self.offset = Clock(), 1_700_000_000.0
        self.ended: list[int] = []
        self.expiries = Expiries(self.reactor, self, self.ended.append)

    def __call__(self) -> float:
        return self.reactor.seconds() + self.offset

    def run(self, seconds: int) -> None:
        self.reactor.pump([0.5] * (2 * seconds))


@pytest.mark.parametrize("step", [DAY, 3_601.0, 3_600.0])
def test_a_step_over_the_date_ends_the_session_within_a_second(step: float) -> None:
    wall = Wall()
    wall.expiries.set(1, wall() + 3_600)
    wall.run(2)
    wall.offset += step
    wall.run(1)
    assert wall.ended == [1]
    assert wall.reactor.getDelayedCalls() == []


def test_a_step_back_lets_the_session_last_until_the_clock_is_there() -> None:
    wall = Wall()
    wall.expiries.set(1, wall() + 5)
    wall.offset -= 600
    wall.run(600)
    assert wall.ended == []
    wall.run(6)
    assert wall.ended == [1]


def test_a_day_forwards_and_back_leaves_it_in_time() -> None:
    wall = Wall()
    wall.expiries.set(1, wall() + 100_000)
    for step in (DAY, -DAY, -DAY, DAY):
        wall.offset += step
        wall.run(3)
    assert wall.ended == []


def test_sessions_end_in_the_order_of_their_dates_unless_they_left() -> None:
    wall = Wall()
    for session_id, in_s in ((1, 3), (2, 1), (3, 2), (4, -5)):
        wall.expiries.set(session_id, wall() + in_s)
    wall.expiries.forget(3)
    wall.expiries.forget(77)
    wall.run(4)
    assert wall.ended == [4, 2, 1]


def test_many_that_come_and_go_leave_nothing_behind() -> None:
    wall = Wall()
    wall.expiries.set(0, wall() + DAY)
    for session_id in range(1, 1_000):
        wall.expiries.set(session_id, wall() + DAY)
        wall.expiries.forget(session_id)
    assert len(wall.expiries._queue) <= 102
    assert len(wall.reactor.getDelayedCalls()) == 1
