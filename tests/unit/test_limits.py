from dataclasses import fields

import pytest

from stork_node.config.limits import ClientLimits, LimitCounters
from stork_node.config.settings import read
from stork_node.errors import ConfigError


def test_the_defaults():
    limits = read(ClientLimits, {}, {})
    assert (limits.subscriptions, limits.calls_in_flight, limits.calls_per_second) == (1_000, 32, 50)
    assert (limits.connections, limits.connections_per_address, limits.joins_per_second) == (20_000, 1_000, 500)
    assert limits.joins_per_second_per_address == 400


def test_one_address_has_four_fifths_of_a_nodes_joins():
    shares = [ClientLimits(joins_per_second=most).joins_per_second_per_address for most in (1, 2, 20, 2_000)]
    assert shares == [1, 2, 16, 1_600]
    assert ClientLimits(joins_per_second=10, joins_per_second_per_address=10).joins_per_second_per_address == 10


def test_the_other_defaults():
    limits = ClientLimits()
    assert (limits.sessions_per_user, limits.message_bytes) == (1_000, 256 * 1024)


def test_some_are_set_and_the_others_stay():
    assert read(ClientLimits, {"subscriptions": 5}, {}) == ClientLimits(subscriptions=5)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"subscriptions": 0}, "subscriptions: 0 lets a client do nothing (want 1 or more)"),
        ({"calls_in_flight": "x"}, "calls_in_flight: 'x' is not a whole number (want 1000)"),
        ({"calls_in_fligth": 1}, "calls_in_fligth: unknown setting, did you mean 'calls_in_flight'?"),
    ],
)
def test_what_is_wrong_is_named(value, sentence):
    with pytest.raises(ConfigError) as wrong:
        read(ClientLimits, value, {})
    assert [f"{problem.path}: {problem.text}" for problem in wrong.value.problems] == [sentence]


def test_each_limit_is_counted_from_the_start():
    limited = LimitCounters().limited
    assert set(limited.values()) == {0}
    settings = {field.name for field in fields(ClientLimits)} - {
        "handshake_elements",
        "message_elements",
        "messages_a_turn",
    }
    assert set(limited) == settings | {
        "descriptors",
        "pushes_per_second",
        "client_events_per_second",
        "subscriptions_per_address",
    }
