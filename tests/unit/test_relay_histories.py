import gc
import tracemalloc

import pytest

from stork_node.protocol.bus import PushFrame
from stork_node.protocol.positions import Position
from stork_node.relay.histories import Histories
from stork_node.relay.history_settings import HistoryRule, HistorySettings, histories

KB = 1 << 10


def push(sequence, *topics, size=100, store=True, exclude=()):
    return PushFrame(Position("e", sequence), "r", topics or ("v1.a.1",), exclude, store, b"x" * size)


def sequences(kept):
    return [each.sequence for each in kept]


def new(total_bytes=64 << 20, **rules):
    others = HistoryRule(**rules) if rules else HistoryRule()
    return Histories(HistorySettings({"v1.off": HistoryRule(0, 0)}, others, total_bytes))


def test_a_topic_is_complete_after_the_number_it_began_with():
    kept = new()
    kept.begin(10)
    for number in (11, 12, 13):
        kept.keep(push(number, *(("v1.a.1", "v1.a.2") if number == 12 else ("v1.a.1",))))
    assert kept.floor("v1.a.1") == kept.floor("v1.a.2") == kept.floor("v1.never.1") == 10
    assert sequences(kept.after("v1.a.1", 11)) == [12, 13]
    assert sequences(kept.after("v1.a.2", 10)) == [12]
    assert sequences(kept.after("v1.a.1", 13)) == sequences(kept.after("v1.never.1", 0)) == []


def test_old_pushes_are_removed_and_raise_the_floor_of_their_topic_alone():
    kept = new(seconds=300, bytes=1 << 20)
    kept.keep(push(1))
    kept.sweep(0.0)
    kept.keep(push(2))
    kept.sweep(1.0)
    kept.keep(push(3, "v1.a.2"))
    kept.sweep(299.9)
    assert kept.floor("v1.a.1") == 0
    kept.sweep(300.0)
    assert (kept.floor("v1.a.1"), sequences(kept.after("v1.a.1", 1))) == (1, [2])
    kept.sweep(700.0)
    assert (kept.floor("v1.a.1"), kept.floor("v1.a.2"), kept.floor("v1.a.3")) == (2, 3, 0)


def test_a_topic_is_bounded_in_bytes_and_keeps_its_newest():
    kept = new(seconds=300, bytes=10 * KB)
    for number in range(1, 101):
        kept.keep(push(number, size=KB - 180))
        held = kept.after("v1.a.1", 0)
        assert sum(each.size for each in held) <= 10 * KB
        assert len(held) >= min(number, 8)
        assert held[-1].sequence == number
        assert kept.floor("v1.a.1") == held[0].sequence - 1


def test_a_push_larger_than_the_bound_empties_the_history_of_its_topic():
    kept = new(seconds=300, bytes=KB)
    kept.keep(push(1))
    kept.keep(push(2, size=2 * KB))
    assert (kept.floor("v1.a.1"), sequences(kept.after("v1.a.1", 2))) == (2, [])


def test_the_oldest_topics_lose_their_history_where_memory_ends():
    kept = new(total_bytes=43 * KB)
    for number in range(1, 11):
        kept.keep(push(number, f"v1.a.{number}", size=KB))
    kept.keep(push(11, "v1.a.1", size=KB))
    for number in range(12, 32):
        kept.keep(push(number, f"v1.b.{number}", size=KB))
        assert kept.bytes <= 43 * KB
    assert kept.floor("v1.a.2") == 2
    assert kept.floor("v1.a.1") == kept.floor("v1.b.31") == kept.floor("v1.never.1") == 0
    assert sequences(kept.after("v1.a.1", 0)) == [1, 11]


def test_forgetting_an_empty_topic_raises_the_floor_of_all():
    kept = new(total_bytes=40 * KB)
    for number in range(1, 1001):
        kept.keep(push(number, f"v1.off.{number}"))
        assert kept.bytes <= 11 * KB
    assert 900 < kept.floor("v1.never.1") == kept.floor("v1.off.1") < 1000
    assert kept.floor("v1.off.1000") == 1000


def test_topics_pushed_to_by_turns_all_keep_some_history_in_little_memory():
    kept = new(total_bytes=100 * KB)
    for number in range(1, 2001):
        kept.keep(push(number, f"v1.a.{number % 10}", size=KB))
    held = [len(kept.after(f"v1.a.{n}", 0)) for n in range(10)]
    assert sum(held) > 40
    assert kept.floor("v1.never.1") == 0


def test_a_feed_without_history_tells_of_no_gap_after_its_last_push():
    kept = new()
    kept.keep(push(1, "v1.off.1", "v1.a.1"))
    assert (kept.floor("v1.off.1"), sequences(kept.after("v1.off.1", 0))) == (1, [])
    assert (kept.floor("v1.off.2"), kept.floor("v1.a.1")) == (0, 0)


def test_what_is_not_to_be_stored_leaves_no_trace():
    kept = new()
    kept.keep(push(1, store=False))
    assert (kept.floor("v1.a.1"), kept.topics, kept.bytes) == (0, 0, 0)


def test_an_erasure_forgets_a_topic_up_to_its_own_number():
    kept = new()
    kept.keep(push(1, "v1.a.1", "v1.a.2"))
    kept.erase("v1.a.1", 2)
    kept.keep(push(3))
    assert (kept.floor("v1.a.1"), sequences(kept.after("v1.a.1", 2))) == (2, [3])
    assert (kept.floor("v1.a.2"), sequences(kept.after("v1.a.2", 0))) == (0, [1])


def test_who_was_excluded_is_remembered():
    kept = new()
    kept.keep(push(1, exclude=(5, 6)))
    assert kept.after("v1.a.1", 0)[0].exclude == (5, 6)


def test_to_begin_anew_forgets_all():
    kept = new()
    kept.keep(push(1))
    kept.sweep(0.0)
    kept.begin(50)
    assert (kept.floor("v1.a.1"), sequences(kept.after("v1.a.1", 0)), kept.bytes) == (50, [], 0)
    kept.sweep(1000.0)
    assert kept.floor("v1.a.1") == 50


@pytest.mark.parametrize(
    ("pushes", "topics", "size"), [(20_000, 1, 190), (20_000, 20_000, 190), (20_000, 500, 190), (500, 10, 20_000)]
)
def test_the_bytes_that_it_counts_are_the_memory_that_it_takes(pushes, topics, size):
    kept = Histories(HistorySettings(others=HistoryRule(300, 1 << 30), total_bytes=1 << 30))
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1, pushes + 1):
            kept.keep(push(number + 10_000, f"v1.a.{number % topics}", size=size))
            if number % 1000 == 0:
                kept.sweep(number / 1000)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken * 0.9 <= kept.bytes <= taken * 1.5


def test_a_push_to_a_thousand_topics_is_counted_once():
    kept = new()
    kept.keep(push(1, *(f"v1.a.{n}" for n in range(1000)), size=1 << 20))
    assert kept.bytes < 2 << 20
    for n in range(1000):
        kept.erase(f"v1.a.{n}", n + 2)
    assert kept.bytes < 1 << 20


def test_the_setting_is_rules_by_feed():
    read = histories({"*": {"seconds": 60}, "v1.orders": {"bytes": 1000}, "v1.typing": 0, "total_bytes": 5000})
    assert read.rule("v1.orders.42") == HistoryRule(60, 1000)
    assert read.rule("v1.typing.42").is_off
    assert read.rule("v1.other.42") == HistoryRule(60, 2 << 20)
    assert (read.longest_s, read.most_bytes) == (60, 5000)
    assert histories({}) == HistorySettings()
    begins = histories({"p.cache-*": {"seconds": 900}, "p.cache-a": 0, "p.*": {"seconds": 7}})
    assert begins.rule("p.cache-b.1").seconds == 900
    assert begins.rule("p.cache-a.1").is_off
    assert (begins.rule("p.other.1").seconds, begins.rule("q.cache-b.1").seconds) == (7, 300)
    assert begins.longest_s == 900
    assert histories({"*": 0}).most_bytes == 0


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (5, '5 is not an object (want {"v1.orders": {"seconds": 300, "bytes": 2097152}})'),
        ({"orders": 0}, "'orders' is not a feed (want v1.orders, '*' for all others, or 'total_bytes')"),
        (
            {"v1.a": {"second": 5}},
            'v1.a: {\'second\': 5} is not a history (want {"seconds": 300, "bytes": 2097152}, or 0 for none)',
        ),
        (
            {"v1.a": True},
            'v1.a: True is not a history (want {"seconds": 300, "bytes": 2097152}, or 0 for none)',
        ),
        (
            {"*": {"seconds": -1}, "total_bytes": "x"},
            "total_bytes: 'x' is not a number (want 0 or more); *.seconds: -1 is not a number (want 0 or more)",
        ),
    ],
)
def test_all_that_is_wrong_with_the_setting_is_named(value, problem):
    with pytest.raises(ValueError) as wrong:  # noqa: PT011  # the text is compared whole
        histories(value)
    assert str(wrong.value) == problem


def test_the_busiest_topics_are_those_with_the_most_pushes_of_the_last_seconds():
    kept = new(seconds=300, bytes=1 << 20)
    for number in range(1, 6):
        kept.keep(push(number, "v1.a.old"))
    for second in range(60):
        kept.sweep(float(second))
    for number in range(6, 10):
        kept.keep(push(number, "v1.a.1", *(["v1.a.2"] if number % 2 else [])))
    assert kept.busiest(60, 5) == [("v1.a.1", 4), ("v1.a.2", 2)]
    assert kept.busiest(60, 1) == [("v1.a.1", 4)]
    assert kept.busiest(61, 5)[0] == ("v1.a.old", 5)
