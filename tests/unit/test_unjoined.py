"""Which connection gives way; connections are letters."""

from stork_crossbar.opening.unjoined import Step, Unjoined


def crowd(names, most=10, address="a"):
    unjoined = Unjoined(lambda: most)
    for name in names:
        assert unjoined.add(name, address) is None
    return unjoined


def test_the_one_that_has_waited_longest_comes_first():
    assert list(crowd("abc")) == ["a", "b", "c"]


def test_each_step_counts_once_and_only_forwards():
    unjoined = crowd("abc")
    unjoined.take_step("a", Step.ASKED)
    assert list(unjoined) == ["b", "c", "a"]
    unjoined.take_step("b", Step.HELLO)
    for step in (Step.ASKED, Step.CONNECTED):
        unjoined.take_step("a", step)
    unjoined.take_step("b", Step.ASKED)
    assert list(unjoined) == ["c", "a", "b"]


def test_an_address_with_too_many_loses_its_oldest():
    unjoined = crowd("abc", most=3)
    unjoined.take_step("a", Step.ASKED)
    assert unjoined.add("d", "a") == "b"
    assert list(unjoined) == ["c", "a", "d"]
    assert unjoined.add("e", "another") is None
    assert unjoined.add("f", "a") == "c"


def test_one_address_is_not_counted_with_another():
    unjoined = crowd("abc", most=3)
    assert [unjoined.add(name, name) for name in "defg"] == [None] * 4


def test_behind_a_balancer_only_the_address_that_it_names_has_a_bound():
    unjoined = crowd("abcdef", most=2, address=None)
    assert [unjoined.belongs_to(name, "x") for name in "abc"] == [None, None, "a"]
    assert unjoined.belongs_to("d", "y") is None
    assert list(unjoined) == ["b", "c", "d", "e", "f"]


def test_whoever_has_joined_or_gone_is_not_counted():
    unjoined = crowd("abc", most=3)
    for name in "aab":
        unjoined.remove(name)
    unjoined.take_step("a", Step.HELLO)
    assert unjoined.belongs_to("a", "a") is None
    assert [unjoined.add(name, "a") for name in "de"] == [None, None]
    assert len(unjoined) == 3


def test_nothing_is_kept_of_those_who_are_gone():
    unjoined = crowd("abc")
    for name in "abc":
        unjoined.remove(name)
    assert not unjoined._of_address
    assert not unjoined._address_of
