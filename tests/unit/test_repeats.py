import logging

import pytest

from stork_node.logs.repeats import KINDS, ONCE, TEXTS, Repeats
from stork_node.publish_server.refusal_log import RefusalLog

KIND = ("warn", "stork_node.x", "refused {}")


def test_a_line_is_shown_once_and_counted_after_that():
    repeats = Repeats()
    assert [repeats.note(KIND, "a", 100.0) for _ in range(1001)] == [True] + [False] * 1000
    assert repeats.summaries(109.9) == []
    assert repeats.summaries(110.0) == [(KIND, "1,000 more in 10 s, the latest: a")]


def test_different_lines_of_a_kind_are_shown_up_to_a_few():
    repeats = Repeats()
    shown = [repeats.note(KIND, f"a{n}", 100.0) for n in range(1000)]
    assert shown == [True] * TEXTS + [False] * (1000 - TEXTS)
    assert repeats.summaries(110.0) == [(KIND, f"{1000 - TEXTS} more in 10 s, the latest: a999")]


def test_a_traceback_is_shown_once_and_summaries_do_not_repeat_it():
    repeats = Repeats()
    kind = ("error", "x", f"{ONCE}app.py:7 ValueError")
    texts = [f"verifier v failed: ValueError: {n} | Traceback (most recent call last): | File" for n in range(20)]
    assert [repeats.note(kind, text, 100.0) for text in texts] == [True] + [False] * 19
    assert repeats.summaries(110.0) == [(kind, "19 more in 10 s, the latest: verifier v failed: ValueError: 19")]


def test_a_flood_that_goes_on_is_one_line_each_period():
    repeats = Repeats()
    for n in range(100):
        repeats.note(KIND, f"a{n}", 100.0)
    repeats.summaries(110.0)
    assert not any(repeats.note(KIND, f"b{n}", 111.0) for n in range(100))
    assert repeats.summaries(120.0) == [(KIND, "100 more in 10 s, the latest: b99")]


def test_a_kind_that_stayed_away_is_new_again():
    repeats = Repeats()
    assert repeats.note(KIND, "a", 100.0)
    assert repeats.summaries(110.0) == []
    assert repeats.note(KIND, "a", 200.0)


def test_kinds_beyond_a_number_are_counted_together():
    repeats = Repeats()
    shown = [repeats.note(("info", "x", str(n)), f"a{n}", 0.0) for n in range(1000)]
    assert sum(shown) == KINDS + TEXTS
    assert len(repeats.summaries(10.0)) == 1


def test_it_says_when_it_wants_to_be_asked():
    repeats = Repeats()
    assert repeats.due(0.0) is None
    repeats.note(KIND, "a", 100.0)
    assert (repeats.due(104.0), repeats.due(200.0)) == (6.0, 0.0)
    repeats.summaries(200.0)
    assert repeats.due(200.0) is None


@pytest.fixture
def refusals() -> RefusalLog:
    return RefusalLog(logging.getLogger("test.refusals"))


def test_refused_pushes_are_counted_by_what_is_wrong_with_them(refusals, caplog):
    for _ in range(3):
        refusals.note("type", "type: missing", "tcp://127.0.0.1:5555", 100.0)
        refusals.note("data", "data: nested more than 100 levels", "tcp://127.0.0.1:5557", 100.0)
    shown = [
        "refused a push on tcp://127.0.0.1:5555: type: missing",
        "refused a push on tcp://127.0.0.1:5557: data: nested more than 100 levels",
    ]
    assert caplog.messages == shown
    caplog.clear()
    assert refusals.due(100.0) == 10.0
    refusals.summarize(110.0)
    assert caplog.messages == [f"2 more in 10 s, the latest: {text}" for text in shown]
