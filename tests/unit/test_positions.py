import operator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.errors import InvalidPosition
from stork_node.protocol.positions import MAX_SEQUENCE, Position, new_epoch

EPOCHS = st.from_regex(r"[0-9A-Za-z_-]{1,64}", fullmatch=True)


@given(EPOCHS, st.integers(0, MAX_SEQUENCE))
def test_a_position_is_read_back_as_written(epoch, sequence):
    position = Position(epoch, sequence)
    assert Position.parse(str(position)) == position


@given(st.text())
def test_any_text_is_a_position_or_invalid(text):
    with suppress(InvalidPosition):
        assert str(Position.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "a:",
        ":1",
        "a:-1",
        "a:01",
        "a:1.0",
        "a: 1",
        "a:1\n",
        "a:b:1",
        "é:1",
        "a:٣",
        f"a:{2**53}",
        "a" * 65 + ":1",
    ],
)
def test_what_is_not_a_position_is_named(text):
    with pytest.raises(InvalidPosition) as caught:
        Position.parse(text)
    assert str(caught.value) == f"{text!r} is not a position (want EPOCH:SEQUENCE)"


def test_positions_of_one_epoch_compare_by_their_sequence():
    nine, ten = Position("a", 9), Position("a", 10)
    assert nine < ten
    assert nine <= ten
    assert ten > nine
    assert ten >= Position("a", 10)
    assert not ten < nine
    assert not nine >= ten
    assert max([nine, ten, Position("a", 3)]) == ten


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
def test_positions_of_two_epochs_do_not_compare(compare):
    with pytest.raises(ValueError, match="positions a:1 and b:2 are of two epochs and do not compare"):
        compare(Position("a", 1), Position("b", 2))
    assert Position("a", 1) != Position("b", 1)


def test_an_epoch_is_new_each_time():
    epochs = {new_epoch() for _ in range(100)}
    assert len(epochs) == 100
    assert all(len(epoch) == 16 and int(epoch, 16) >= 0 for epoch in epochs)
