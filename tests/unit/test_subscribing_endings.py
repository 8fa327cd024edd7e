"""The table docs/architecture.md#refusals-and-endings, as a subscriber reads it."""

import pytest

from stork_node.clients.subscribing.endings import (
    Ending,
    abort_ending,
    close_ending,
    goodbye_ending,
    retry_delay_s,
    subscription_ending,
)
from stork_node.protocol import close_codes
from tests.vector_files import cases, vectors


@vectors("endings", "aborts")
def test_an_abort_is_final_or_not(case):
    assert abort_ending(case["uri"], "said") == Ending(case["reason"], case["again"], case["uri"], "said")


@vectors("endings", "goodbyes")
def test_a_goodbye_is_final_only_for_a_logout(case):
    assert goodbye_ending(case["uri"], "said") == Ending(case["reason"], case["again"], case["uri"], "said")


@vectors("endings", "subscriptions")
def test_a_refused_subscription_is_final_or_not(case):
    assert subscription_ending(case["uri"], "said") == Ending(case["reason"], case["again"], case["uri"], "said")


@pytest.mark.parametrize("group", ["node", "others"])
def test_after_a_close_the_subscriber_comes_back(group):
    for case in cases("close_codes", group):
        assert close_ending(case["code"], "said") == Ending(case["reason"], case["again"], "", "said")


def test_the_codes_of_a_node_are_those_of_the_vectors():
    found = {name: value for name, value in vars(close_codes).items() if isinstance(value, int)}
    assert found == {case["name"]: case["code"] for case in cases("close_codes", "node")}


@vectors("retry_delays", "delays")
def test_delays_lie_between_half_a_second_and_a_ceiling_that_doubles(case):
    assert retry_delay_s(case["attempt"], case["chance"]) == case["seconds"]
