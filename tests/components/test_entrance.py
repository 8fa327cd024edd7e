"""Newcomers and those who give way: transports are fakes, and the reserve is what a test says."""

import pytest

from stork_crossbar.limits import client_limits
from stork_crossbar.opening import handshake
from stork_crossbar.opening.entrance import FIRST_STEP_S, Entrance
from stork_crossbar.opening.unjoined import Step
from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits
from stork_node.http.forwarded import networks
from tests.components.turn_clock import TurnClock


class Transport:
    def __init__(self, host="192.0.2.1"):
        self.host, self.is_cut = host, False

    def fileno(self):
        return 0

    def getPeer(self):  # noqa: N802  # Twisted's name
        return self

    def end(self):
        self.is_cut = True


@pytest.fixture
def clock():
    return TurnClock()


class Descriptors:
    """``over`` is how many descriptors of the reserve are used."""

    over_by, reserved = 0, 10

    def over(self, _newest, _clients):
        return self.over_by


@pytest.fixture
def used():
    return Descriptors()


@pytest.fixture
def entrance(clock, used):
    entrance = Entrance(clock, used)
    entrance.end_by(Transport.end)
    yield entrance
    client_limits.bounds().set(DEFAULT_LIMITS)
    handshake.trust(())


def enter(entrance, *hosts):
    transports = [Transport(host) for host in hosts]
    for transport in transports:
        assert entrance.enter(transport) == 0.0
    return transports


def test_a_newcomer_takes_the_place_of_the_oldest_stranger(entrance, used):
    first, second = enter(entrance, "192.0.2.1", "192.0.2.2")
    entrance.step(first, Step.ASKED)
    used.over_by = 1
    enter(entrance, "192.0.2.3")
    assert (first.is_cut, second.is_cut) == (False, True)
    assert entrance.is_full


def test_whoever_is_owed_an_answer_gives_way_to_nobody(entrance, used):
    [joined] = enter(entrance, "192.0.2.1")
    entrance.leave(joined)
    used.over_by = 3
    assert entrance.enter(Transport()) == 0.3
    assert not joined.is_cut


def test_those_who_are_giving_way_count_no_more(entrance, used):
    first, second, third = enter(entrance, "192.0.2.1", "192.0.2.2", "192.0.2.3")
    used.over_by = 2
    enter(entrance, "192.0.2.4")
    assert [first.is_cut, second.is_cut, third.is_cut] == [True, True, False]
    used.over_by = 3
    enter(entrance, "192.0.2.5")
    assert third.is_cut
    for transport in (first, second, third):
        entrance.gone(transport)
    used.over_by = 0
    [last] = enter(entrance, "192.0.2.6")
    assert not last.is_cut


def test_the_node_is_full_for_a_moment(entrance, used, clock):
    used.over_by = 10
    entrance.enter(Transport())
    assert entrance.is_full
    clock.advance(11)
    assert not entrance.is_full


def test_one_address_has_a_bound(entrance):
    client_limits.bounds().set(ClientLimits(unjoined_connections=2))
    before = client_limits.bounds().counters.limited["unjoined_connections"]
    cut = enter(entrance, "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1")
    assert [transport.is_cut for transport in cut] == [True, False, False, False]
    assert client_limits.bounds().counters.limited["unjoined_connections"] == before + 1
    assert not entrance.is_full


def test_a_balancer_has_none_and_its_clients_have_one(entrance):
    client_limits.bounds().set(ClientLimits(unjoined_connections=2))
    handshake.trust(networks("10.0.0.0/8"))
    through = enter(entrance, *["10.0.0.1"] * 5)
    assert not any(transport.is_cut for transport in through)
    for transport in through[:3]:
        entrance.belongs_to(transport, "192.0.2.1")
    assert [transport.is_cut for transport in through] == [True, False, False, False, False]


def test_a_client_that_says_nothing_whole_is_cut(entrance, clock):
    silent, speaking, gone = enter(entrance, *["192.0.2.1"] * 3)
    entrance.step(speaking, Step.ASKED)
    entrance.gone(gone)
    clock.advance(FIRST_STEP_S + 1)
    assert [transport.is_cut for transport in (silent, speaking, gone)] == [True, False, False]


def test_a_protocol_with_a_deadline_of_its_own_needs_no_other(entrance, clock):
    transport = Transport()
    entrance.enter(transport, has_own_deadline=True)
    clock.advance(FIRST_STEP_S + 1)
    assert not transport.is_cut


def test_places_are_counted_by_address_and_freed_when_a_client_is_gone(entrance):
    client_limits.bounds().set(ClientLimits(connections=3, connections_per_address=2))
    before = client_limits.bounds().counters.limited.copy()
    first, second, third, other = enter(entrance, *["192.0.2.1"] * 3, "192.0.2.2")
    assert [entrance.has_place(each, None) for each in (first, second, third, other)] == [True, True, False, True]
    entrance.gone(third)
    entrance.gone(first)
    [fourth, fifth] = enter(entrance, "192.0.2.1", "192.0.2.3")
    assert [entrance.has_place(each, None) for each in (fourth, fifth)] == [True, False]
    limited = client_limits.bounds().counters.limited - before
    assert (limited["connections"], limited["connections_per_address"]) == (1, 1)


def test_the_forwarded_address_has_the_limit_and_the_balancer_none(entrance):
    client_limits.bounds().set(ClientLimits(connections_per_address=1))
    handshake.trust(networks("192.0.2.1"))
    transports = enter(entrance, *["192.0.2.1"] * 5)
    named = [None, None, "198.51.100.1", "198.51.100.1", "198.51.100.2"]
    assert [entrance.has_place(*each) for each in zip(transports, named, strict=True)] == [
        True,
        True,
        True,
        False,
        True,
    ]


def test_a_connection_of_the_node_itself_needs_no_place(entrance):
    client_limits.bounds().set(ClientLimits(connections=1))
    assert all(entrance.has_place(Transport(), None) for _ in range(3))
