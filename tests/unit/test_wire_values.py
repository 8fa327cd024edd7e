"""The values that WAMP can carry to every client, and the errors for others."""

import datetime
import enum
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.protocol.wire_values import to_wire

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda values: st.lists(values) | st.dictionaries(texts, values),
)


class Colour(enum.StrEnum):
    RED = "red"


class Size(enum.IntEnum):
    LARGE = 3


@given(json_values)
def test_a_json_value_arrives_as_it_is(value):
    assert to_wire(value, "x") == value == json.loads(json.dumps(to_wire(value, "x")))


def test_subclasses_and_tuples_arrive_as_the_plain_types():
    arrived = to_wire({Colour.RED: (Colour.RED, Size.LARGE, True)}, "x")
    assert arrived == {"red": ["red", 3, True]}
    assert [type(value) for value in arrived["red"]] == [str, int, bool]
    assert [type(key) for key in arrived] == [str]


def test_the_copy_is_not_changed_with_the_original():
    original = {"groups": ["a"]}
    copy = to_wire(original, "x")
    original["groups"].append("b")
    assert copy == {"groups": ["a"]}


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ({"at": datetime.date(2026, 1, 1)}, TypeError, "x['at'] is of type date, which JSON does not have"),
        ([1, {2}], TypeError, "x[1] is of type set, which JSON does not have"),
        (b"bytes", TypeError, "x is of type bytes, which JSON does not have"),
        ({"a": {1: 2}}, TypeError, "x['a'] has the key 1, and JSON has text keys only"),
        ([math.nan], ValueError, "x[0] is nan, which JSON does not have"),
        (-math.inf, ValueError, "x is -inf, which JSON does not have"),
        (2**64, ValueError, "x is beyond the integers from -2^63 to 2^64-1"),
        (-(2**63) - 1, ValueError, "x is beyond the integers from -2^63 to 2^64-1"),
        ("\0aGk=", ValueError, "x begins with U+0000, which marks binary in WAMP's JSON"),
        ({"\0": 1}, ValueError, "a key of x begins with U+0000, which marks binary in WAMP's JSON"),
        (["\ud800"], ValueError, "x[0] holds a lone surrogate, which UTF-8 does not have"),
    ],
)
def test_what_cannot_travel_is_named_with_its_place(value, error, text):
    with pytest.raises(error) as refused:
        to_wire(value, "x")
    assert str(refused.value) == text


def nested(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def test_a_hundred_levels_travel_and_one_more_does_not():
    assert to_wire(nested(100), "x") == nested(100)
    with pytest.raises(ValueError, match="nested deeper than 100"):
        to_wire(nested(101), "x")


def test_a_value_that_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="nested deeper than 100"):
        to_wire(loop, "x")


def test_bytes_travel_where_wamp_has_them():
    assert to_wire([b"a", bytearray(b"b"), memoryview(b"c")], "x", binary=True) == [b"a", b"b", b"c"]
