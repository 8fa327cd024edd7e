"""Which state of a subscriber or subscription may follow which."""

import pytest

from stork_node.clients.subscribing.states import (
    SUBSCRIBER_MOVES,
    SUBSCRIPTION_MOVES,
    SubscriberState,
    SubscriptionState,
    move,
)

TABLES = [(SubscriberState, SUBSCRIBER_MOVES), (SubscriptionState, SUBSCRIPTION_MOVES)]


@pytest.mark.parametrize(("states", "moves"), TABLES)
def test_each_state_has_its_row_and_is_reached(states, moves):
    assert set(moves) == set(states)
    reached = {states("waiting")}
    for _ in states:
        reached |= {to for state in reached for to in moves[state]}
    assert reached == set(states)


@pytest.mark.parametrize(("states", "moves"), TABLES)
def test_only_what_the_table_has_may_follow(states, moves):
    for state in states:
        for to in states:
            if to in moves[state]:
                assert move(moves, state, to) is to
            else:
                with pytest.raises(RuntimeError, match=f"^{to} cannot follow {state}$"):
                    move(moves, state, to)


@pytest.mark.parametrize(
    ("moves", "final"), [(SUBSCRIBER_MOVES, {"closed"}), (SUBSCRIPTION_MOVES, {"refused", "closed"})]
)
def test_final_states_are_final(moves, final):
    assert {str(state) for state, following in moves.items() if not following} == final
