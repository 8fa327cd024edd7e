"""Answers that nobody waits for any more, and who gets them."""

import pytest
from twisted.internet import defer
from twisted.internet.task import Clock

from stork_components.asking.late_answers import KEPT_S, LateAnswers


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def late(clock):
    return LateAnswers(clock, most=3)


def answered(call):
    outcome = []
    call.addBoth(outcome.append)
    return outcome


@pytest.mark.parametrize("is_answered_first", [True, False])
def test_a_call_that_is_kept_serves_one_who_asks_again(late, clock, is_answered_first):
    call = defer.Deferred()
    if is_answered_first:
        call.callback("yes")
    late.keep("question", call)
    assert late.take("another") is None
    outcome = answered(late.take("question"))
    if not is_answered_first:
        call.callback("yes")
    assert outcome == ["yes"]
    assert late.take("question") is None
    assert clock.getDelayedCalls() == []


def test_one_that_fails_is_asked_anew(late):
    call = defer.Deferred()
    late.keep("question", call)
    call.errback(ValueError("no"))
    assert late.take("question") is None


def test_one_that_fails_while_somebody_waits_for_it_again_fails_there(late):
    call = defer.Deferred()
    late.keep("question", call)
    outcome = answered(late.take("question"))
    call.errback(ValueError("no"))
    assert outcome[0].check(ValueError)


def test_one_that_is_kept_twice_serves_the_third_who_asks(late):
    call = defer.Deferred()
    late.keep("question", call)
    late.keep("question", late.take("question"))
    outcome = answered(late.take("question"))
    call.callback("yes")
    assert outcome == ["yes"]


@pytest.mark.parametrize("end", ["time", "forget", "too many", "another"])
def test_a_call_that_serves_nobody_is_cancelled(late, clock, end):
    cancelled = []
    late.keep("question", defer.Deferred(cancelled.append))
    if end == "time":
        clock.advance(KEPT_S)
    elif end == "forget":
        late.forget()
    elif end == "another":
        late.keep("question", defer.Deferred())
        late.forget()
    else:
        for number in range(3):
            late.keep(number, defer.Deferred())
        assert len(late) == 3
        late.forget()
    assert len(cancelled) == 1
    assert late.take("question") is None
    assert clock.getDelayedCalls() == []
