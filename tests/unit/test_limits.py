import re

import pytest

from stork_node.limits import HELD, REFUSED, LimitReport, SessionLimits, session_limits


def test_the_defaults():
    limits = session_limits({})
    assert limits == SessionLimits()
    assert (limits.subscriptions, limits.calls_in_flight) == (1_000, 32)


def test_some_are_set_and_the_others_stay():
    assert session_limits({"subscriptions": 5}) == SessionLimits(subscriptions=5)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (17, '17 is not an object (want {"subscriptions": 1000})'),
        ({"subscriptions": 0}, "subscriptions: 0 lets a session do nothing (want 1 or more)"),
        ({"calls_in_flight": "x"}, "calls_in_flight: 'x' is not a whole number (want 1000)"),
        ({"calls_in_fligth": 1}, "calls_in_fligth: unknown setting, did you mean 'calls_in_flight'?"),
    ],
)
def test_what_is_wrong_is_named(value, sentence):
    with pytest.raises(ValueError, match="^" + re.escape(sentence) + "$"):
        session_limits(value)


def test_each_limit_is_counted_from_the_start():
    assert dict(LimitReport().counters.limited) == dict.fromkeys(REFUSED + HELD, 0)


def test_a_minute_has_one_line_whatever_the_number():
    report = LimitReport()
    assert report.note("subscriptions", 0.0) == "subscriptions 1 times"
    assert [report.note("calls_in_flight", 1.0) for _ in range(500)] == [None] * 500
    assert report.note("subscriptions", 59.9) is None
    assert report.note("calls_in_flight", 60.0) == "calls_in_flight 501 times, subscriptions 1 times"
    assert report.counters.limited["calls_in_flight"] == 501
