"""Which numbers of subscribers are told, and when."""

import json

from stork_node.pusher.counts.told_counts import MANY, MANY_EVERY_S, Told, ToldCounts, subscription_count


def told(counts, numbers, here=(), now=0.0):
    return list(counts.count(numbers, frozenset(here), now))


def test_a_number_is_told_where_it_is_another_one():
    counts = ToldCounts()
    assert told(counts, {"a": 1, "b": 2}) == [Told("a", 1, False), Told("b", 2, False)]
    assert told(counts, {"a": 1, "b": 3}) == [Told("b", 3, False)]
    assert counts.all() == ["a", "b"]
    counts.forget("a")
    assert told(counts, {"a": 1}) == [Told("a", 1, False)]


def test_a_new_client_is_told_a_number_that_is_the_same():
    counts = ToldCounts()
    told(counts, {"a": 2})
    assert told(counts, {"a": 2}, here=["a"]) == [Told("a", 2, True)]


def test_topics_are_counted_once_for_both_reasons():
    counts = ToldCounts()
    counts.changed_here("a")
    counts.changed_elsewhere(["a", "b"])
    assert counts.due(0.0) == (["a"], ["b"])
    assert counts.due(0.0) == ([], [])


def test_many_are_told_less_often():
    counts = ToldCounts()
    told(counts, {"a": MANY + 1}, now=10.0)
    counts.changed_here("a")
    counts.changed_here("b")
    assert counts.due(10.5) == (["b"], [])
    assert counts.due(10.0 + MANY_EVERY_S) == (["a"], [])


def test_a_frame_has_the_number_in_a_string():
    frame = json.loads(b"{%b}" % subscription_count(3))
    assert (frame["event"], json.loads(frame["data"])) == (
        "pusher_internal:subscription_count",
        {"subscription_count": 3},
    )
