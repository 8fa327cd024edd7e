"""The faster reader gives what autobahn's gives, for any text."""

import json

import pytest
from autobahn.wamp.serializer import _loads as ordinary
from hypothesis import given
from hypothesis import strategies as st

from stork_node.wamp_json import faster_loads

loads = faster_loads(ordinary)

TEXTS = st.text() | st.text().map("\0{}".format) | st.sampled_from(["\0aGk=", "0x00", "\\u0000", '"\\u0000', "😀"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXTS, children, max_size=4),
    max_leaves=12,
)


def outcome(read, text, **options):
    try:
        return repr(read(text, **options))  # NaN is not equal to itself, and 1 is equal to 1.0
    except Exception as error:
        return type(error), str(error)


@given(VALUES, st.booleans())
def test_a_message_is_read_as_autobahn_reads_it(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert outcome(loads, text) == outcome(ordinary, text)


@given(st.text(alphabet='[]{}",:\\u0123456789.eE+-tfn al\0😀', max_size=40))
def test_text_that_is_no_json_fails_as_it_does_with_autobahn(text):
    assert outcome(loads, text) == outcome(ordinary, text)


@pytest.mark.parametrize(
    "text",
    [
        '[1,"\\u0000aGk="]',
        '{"\\u0000key":"\\u0000aGk="}',
        '"\\u0000hello"',
        '"\\\\u0000hello"',
        "[1e400,-1e400]",
        "[NaN,Infinity]",
        "1" * 5000,
        "[123456789012345678901234567890,-9223372036854775809,-0,-0.0,1E2]",
        '{"a":1,"a":2}',
        '"\\ud800"',
        "[1]x",
        "\ufeff[1]",
        "",
    ],
)
def test_what_parsers_differ_in_is_read_as_autobahn_reads_it(text):
    assert outcome(loads, text) == outcome(ordinary, text)


@pytest.mark.parametrize("option", ["use_binary_hex_encoding", "use_decimal_from_str", "use_decimal_from_float"])
def test_an_option_of_autobahns_is_left_to_autobahn(option):
    text = '["0x6869","1.5",1.5]'
    assert outcome(loads, text, **{option: True}) == outcome(ordinary, text, **{option: True})
