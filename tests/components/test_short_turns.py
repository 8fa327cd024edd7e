"""Turns of the reactor, with real descriptors that are ready all the time."""

import os
import select

import pytest
from twisted.internet.task import Clock

from stork_crossbar.compat import Incompatible
from stork_crossbar.internals.short_turns import SOCKETS_A_TURN, ShortTurns, take_short_turns


@pytest.fixture
def pipes():
    """Twice as many as a turn serves, and one more; each has something to be read."""
    made = [os.pipe() for _ in range(2 * SOCKETS_A_TURN + 1)]
    for _, writing in made:
        os.write(writing, b"x")
    yield [reading for reading, _ in made]
    for pair in made:
        for fd in pair:
            os.close(fd)


@pytest.fixture
def epoll(pipes):
    with select.epoll() as epoll:
        for fd in pipes:
            epoll.register(fd, select.EPOLLIN)
        yield epoll


def fds(events):
    return [fd for fd, _ in events]


def test_a_turn_serves_a_few_and_every_socket_has_its_turn(epoll, pipes):
    turns = ShortTurns(epoll, list, Clock().seconds)
    served = [fds(turns.poll(0, 10_000)) for _ in range(3)]
    assert [len(turn) for turn in served] == [SOCKETS_A_TURN] * 3
    assert {fd for turn in served for fd in turn} == set(pipes)


def test_the_bus_comes_first_in_every_turn_and_once(epoll, pipes):
    bus = pipes[-1]
    turns = ShortTurns(epoll, lambda: [bus], Clock().seconds)
    for _ in range(4):
        turn = fds(turns.poll(0, 10_000))
        assert turn[0] == bus
        assert turn.count(bus) == 1


def test_a_bus_on_which_nothing_waits_is_not_served(epoll, pipes):
    bus = pipes[-1]
    os.read(bus, 1)
    turns = ShortTurns(epoll, lambda: [bus], Clock().seconds)
    assert all(bus not in fds(turns.poll(0, 10_000)) for _ in range(3))


def test_a_bus_that_came_later_is_found(epoll, pipes):
    clock, bus = Clock(), []
    turns = ShortTurns(epoll, lambda: list(bus), clock.seconds)
    turns.poll(0, 10_000)
    bus.append(pipes[-1])
    clock.advance(1.0)
    assert fds(turns.poll(0, 10_000))[0] == pipes[-1]


def test_a_few_sockets_are_served_as_they_are(pipes):
    with select.epoll() as epoll:
        for fd in pipes[:3]:
            epoll.register(fd, select.EPOLLIN)
        turns = ShortTurns(epoll, lambda: pytest.fail("looked for the bus"), Clock().seconds)
        assert sorted(fds(turns.poll(0, 10_000))) == sorted(pipes[:3])
        turns.unregister(pipes[0])
        assert sorted(fds(turns.poll(0, 10_000))) == sorted(pipes[1:3])


def test_another_reactor_is_left_as_it_is():
    clock = Clock()
    with pytest.raises(Incompatible, match="Clock is not the reactor for epoll"):
        take_short_turns(clock)
    assert not hasattr(clock, "_poller")
