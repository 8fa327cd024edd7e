"""How many descriptors are used; the process is a number of others beside its clients."""

import resource

import pytest

from stork_crossbar.opening.descriptors import Descriptors


class Process:
    def __init__(self, limit, others):
        self.limit, self.others, self.clients, self.now, self.counts = limit, others, 0, 0.0, 0
        self.descriptors = Descriptors(lambda: self.now, lambda: self.limit, self.count)

    def count(self):
        self.counts += 1
        return self.others + self.clients

    def come(self, newest=None):
        """A client comes; without holes it gets the last descriptor."""
        self.clients += 1
        return self.descriptors.over(self.others + self.clients - 1 if newest is None else newest, self.clients)


@pytest.mark.parametrize(("limit", "reserved"), [(8, 1), (256, 32), (1024, 64), (1_000_000, 64)])
def test_the_reserve_is_small_where_the_limit_is(limit, reserved):
    assert Process(limit, 0).descriptors.reserved == reserved


def test_there_is_room_up_to_the_reserve():
    process = Process(256, 20)
    assert [process.come() for _ in range(204)] == list(range(-203, 1))
    assert process.counts == 0
    assert [process.come() for _ in range(3)] == [1, 2, 3]
    assert process.counts == 1


def test_a_low_descriptor_says_nothing_of_those_above_it():
    process = Process(256, 20)
    process.clients = 219
    assert process.come() == 16
    process.clients -= 10
    assert process.come(newest=30) == 7


def test_what_others_have_given_back_is_seen_a_second_later():
    process = Process(256, 120)
    process.clients = 104
    assert process.come() == 1
    process.others = 20
    assert process.come(newest=50) == 2
    process.now = 1.0
    assert process.come(newest=50) == -97


def test_without_a_limit_there_is_always_room():
    assert Process(resource.RLIM_INFINITY, 10).come() == 0
