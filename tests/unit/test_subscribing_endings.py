"""The table docs/architecture.md#refusals-and-endings, as a subscriber reads it."""

import pytest

from stork_node.subscribing.endings import (
    Ending,
    abort_ending,
    close_ending,
    goodbye_ending,
    retry_delay_s,
    subscription_ending,
)


@pytest.mark.parametrize(
    ("uri", "reason", "again"),
    [
        ("io.virge.stork.denied", "denied", False),
        ("io.virge.stork.expired", "expired", True),
        ("io.virge.stork.unavailable", "unavailable", True),
        ("wamp.close.system_shutdown", "unavailable", True),
        ("wamp.error.no_such_realm", "refused", False),
        ("wamp.error.no_such_procedure", "unavailable", True),
    ],
)
def test_an_abort_is_final_or_not(uri, reason, again):
    assert abort_ending(uri, "said") == Ending(reason, again, uri, "said")


@pytest.mark.parametrize(
    ("uri", "reason", "again"),
    [
        ("io.virge.stork.disconnected", "disconnected", False),
        ("wamp.close.normal", "goodbye", True),
        ("wamp.close.system_shutdown", "goodbye", True),
    ],
)
def test_a_goodbye_is_final_only_for_a_logout(uri, reason, again):
    assert goodbye_ending(uri) == Ending(reason, again, uri)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1012, "draining"),
        (1013, "unavailable"),
        (4001, "session_over"),
        (4010, "break"),
        (1006, "lost"),
        (1000, "lost"),
    ],
)
def test_after_a_close_the_subscriber_comes_back(code, reason):
    assert close_ending(code) == Ending(reason, True)


@pytest.mark.parametrize(
    ("uri", "reason", "again"),
    [
        ("wamp.error.not_authorized", "denied", False),
        ("io.virge.stork.unavailable", "unavailable", True),
        ("wamp.error.authorization_failed", "unavailable", True),
        ("wamp.error.invalid_uri", "refused", False),
    ],
)
def test_a_refused_subscription_is_final_or_not(uri, reason, again):
    assert subscription_ending(uri) == Ending(reason, again, uri)


@pytest.mark.parametrize(("attempt", "ceiling"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 20), (5000, 20)])
def test_delays_lie_between_half_a_second_and_a_ceiling_that_doubles(attempt, ceiling):
    assert retry_delay_s(attempt, 0) == 0.5
    assert retry_delay_s(attempt, 0.5) == (0.5 + ceiling) / 2
    assert retry_delay_s(attempt, 1) == ceiling
