import operator
from contextlib import suppress
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.errors import InvalidPosition
from stork_node.protocol.positions import MAX_SEQUENCE, Position, is_position, new_epoch
from stork_node.relay.recovery import read_request
from tests.vector_files import cases, vectors

EPOCHS = st.from_regex(r"[0-9A-Za-z_-]{1,64}", fullmatch=True)


@given(EPOCHS, st.integers(0, MAX_SEQUENCE))
def test_a_position_is_read_back_as_written(epoch, sequence):
    position = Position(epoch, sequence)
    assert Position.parse(str(position)) == position


@given(st.text())
def test_any_text_is_a_position_or_invalid(text):
    with suppress(InvalidPosition):
        assert str(Position.parse(text)) == text


READ = cases("positions", "read")


@pytest.mark.parametrize("case", [case for case in READ if case["epoch"]], ids=itemgetter("name"))
def test_what_is_a_position_is_read(case):
    assert Position.parse(case["text"]) == Position(case["epoch"], case["sequence"])
    assert is_position(case["text"])


@pytest.mark.parametrize(
    "case", [case for case in READ if not case["epoch"] and isinstance(case["text"], str)], ids=itemgetter("name")
)
def test_what_is_not_a_position_is_named(case):
    with pytest.raises(InvalidPosition) as caught:
        Position.parse(case["text"])
    assert str(caught.value) == f"{case['text']!r} is not a position (want EPOCH:SEQUENCE)"
    assert not is_position(case["text"])


@pytest.mark.parametrize("case", [case for case in READ if case["text"] is not None], ids=itemgetter("name"))
def test_a_recovery_is_asked_from_what_is_a_position(case):
    expected = Position(case["epoch"], case["sequence"]) if case["epoch"] else None
    assert read_request(({"v1.orders.42": case["text"]},), {}).positions == {"v1.orders.42": expected}


@vectors("positions", "compared")
def test_positions_compare_within_one_epoch(case):
    first, second = Position.parse(case["first"]), Position.parse(case["second"])
    compared = {"<": operator.lt, "=": operator.eq, ">": operator.gt}
    if case["order"]:
        assert [sign for sign, compare in compared.items() if compare(first, second)] == [case["order"]]
        return
    assert first != second
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(ValueError, match=f"positions {first} and {second} are of two epochs and do not compare"):
            compare(first, second)


def test_positions_of_one_epoch_compare_by_their_sequence():
    nine, ten = Position("a", 9), Position("a", 10)
    assert nine < ten
    assert nine <= ten
    assert ten > nine
    assert ten >= Position("a", 10)
    assert not ten < nine
    assert not nine >= ten
    assert max([nine, ten, Position("a", 3)]) == ten


def test_an_epoch_is_new_each_time():
    epochs = {new_epoch() for _ in range(100)}
    assert len(epochs) == 100
    assert all(len(epoch) == 16 and int(epoch, 16) >= 0 for epoch in epochs)
