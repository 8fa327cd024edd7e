import logging

import pytest

from stork_node.publish_server.refusal_log import RefusalLog


@pytest.fixture
def refusals() -> RefusalLog:
    return RefusalLog(logging.getLogger("test.refusals"))


def test_the_first_of_a_kind_is_logged_at_once_with_its_reason(refusals, caplog):
    refusals.note("type", "type: missing", "tcp://127.0.0.1:5555", 100.0)
    refusals.note("data", "data: nested more than 100 levels", "tcp://127.0.0.1:5557", 100.0)
    assert caplog.messages == [
        "refused a push on tcp://127.0.0.1:5555: type: missing",
        "refused a push on tcp://127.0.0.1:5557: data: nested more than 100 levels",
    ]


def test_more_of_a_kind_become_one_line_each_ten_seconds(refusals, caplog):
    for i in range(1001):
        refusals.note("topics", f"topics[{i}]: bad", "here", 100.0)
    refusals.note("type", "type: missing", "here", 101.0)
    refusals.note("type", "type: missing", "here", 101.0)
    caplog.clear()
    refusals.summarize(109.9)
    assert caplog.messages == []
    refusals.summarize(110.0)
    assert caplog.messages == [
        "refused 1,001 more pushes in 10 s, with the latest reason of each kind: "
        "1,000 times: topics[1000]: bad; 1 times: type: missing"
    ]
    caplog.clear()
    refusals.note("topics", "topics[0]: bad", "here", 111.0)
    assert caplog.messages == []
    refusals.summarize(120.0)
    assert len(caplog.messages) == 1


def test_a_kind_that_stayed_away_is_new_again(refusals, caplog):
    refusals.note("type", "type: missing", "here", 100.0)
    refusals.summarize(110.0)
    refusals.note("type", "type: missing", "here", 200.0)
    assert caplog.messages == ["refused a push on here: type: missing"] * 2


def test_it_says_when_it_wants_to_be_asked(refusals):
    assert refusals.due(0.0) is None
    refusals.note("type", "type: missing", "here", 100.0)
    assert refusals.due(104.0) == 6.0
    assert refusals.due(200.0) == 0.0
    refusals.summarize(200.0)
    assert refusals.due(200.0) is None
