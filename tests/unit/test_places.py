"""Places of connections, allowances of a second, and the log of limits."""

from stork_node.limits.allowance import AllowanceOfEach
from stork_node.limits.limit_log import LimitLog
from stork_node.limits.places import CONNECTIONS, OF_ADDRESS, Places


def places(most=10, most_of_address=2):
    return Places(lambda: most, lambda: most_of_address)


def test_one_address_takes_no_place_of_another():
    taken = places()
    assert [taken.take(number, "a") for number in range(4)] == [None, None, OF_ADDRESS, OF_ADDRESS]
    assert taken.take(9, "b") is None
    assert len(taken) == 3


def test_a_place_that_is_freed_is_given_again():
    taken = places()
    for number in range(3):
        taken.take(number, "a")
    taken.free(2)  # it had none
    assert taken.take(3, "a") == OF_ADDRESS
    taken.free(0)
    assert taken.take(3, "a") is None


def test_all_addresses_share_the_places_of_a_node():
    taken = places(most=2)
    assert [taken.take(name, name) for name in "abc"] == [None, None, CONNECTIONS]
    taken.free("a")
    assert taken.take("c", "c") is None


def test_an_address_that_others_share_has_no_limit():
    taken = places()
    assert [taken.take(number, None) for number in range(5)] == [None] * 5
    for number in range(5):
        taken.free(number)
    assert len(taken) == 0


def test_a_limit_is_one_line_a_minute():
    log = LimitLog()
    assert log.due(0.0) is None
    assert [log.note("joins", f"a{n}", 0.5) for n in range(1000)] == [True] + [False] * 999
    assert log.due(10.5) == 50.0
    assert log.summaries(60.0) == []
    assert log.summaries(60.5) == [("joins", "999 more in 60 s, the latest: a999")]
    assert not log.note("joins", "b", 70.0)
    assert log.summaries(120.5) == [("joins", "1 more in 60 s, the latest: b")]
    assert log.summaries(181.0) == []
    assert log.due(181.0) is None
    assert log.note("joins", "c", 200.0)


def test_each_limit_has_its_own_minute():
    log = LimitLog()
    assert [log.note(limit, "x", at) for limit, at in (("a", 0.0), ("b", 50.0), ("a", 55.0), ("b", 58.0))] == [
        True,
        True,
        False,
        False,
    ]
    assert log.summaries(60.0) == [("a", "1 more in 60 s, the latest: x")]
    assert log.due(60.0) == 50.0


def test_each_has_an_allowance_of_its_own():
    each = AllowanceOfEach(2)
    assert [each.take(name, 0.0) for name in "aaabba"] == [True, True, False, True, True, False]
    assert [each.take("a", at) for at in (0.5, 0.5, 1.0)] == [True, False, True]


def test_who_asks_for_nothing_in_a_second_is_forgotten():
    each = AllowanceOfEach(2)
    for number in range(1_000):
        each.take(f"{number}", number / 1_000)
    assert len(each) == 1_000
    assert each.take("a", 1.5)
    assert len(each) == 501
    assert [each.take("999", 2.1) for _ in range(3)] == [True, True, False]
    assert len(each) == 2
