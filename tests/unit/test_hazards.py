import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.hazards import json_fault, nests_deeper


@pytest.mark.parametrize(
    "payload",
    [
        b'[1,"realm1",{}]',
        b'["' + b"[" * 1000 + b'"]',
        b'["\\"' + b"[" * 1000 + b'"]',
        b"[" + b",".join([b"[]"] * 1000) + b"]",
        b"[" * 110 + b"]" * 110,
        b'["\\ud83d\\ude00"]',
        b'["\\\\ud800"]',
        b'["\\\\\\\\ud800 \\ud83d\\ude00"]',
        "[“ä€😀”]".encode(),
    ],
)
def test_what_can_be_parsed_and_answered_passes(payload):
    assert json_fault(payload) is None


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"[" * 111, "more than 110 levels"),
        (b'{"a":' * 111, "more than 110 levels"),
        (b"[" * 500_000, "more than 110 levels"),
        (b'["\\ud800"]', "a lone surrogate"),
        (b'["\\uDFFF"]', "a lone surrogate"),
        (b'["\\ud800\\ud800"]', "a lone surrogate"),
        (b'["\\ude00\\ud83d"]', "a lone surrogate"),
        (b'["\\ud83d\\ude00\\ud800"]', "a lone surrogate"),
        (b'["\\\\\\ud800"]', "a lone surrogate"),
    ],
)
def test_what_breaks_the_parsers_or_can_never_be_answered_is_named(payload, fault):
    assert json_fault(payload) == fault


@given(st.text())
def test_a_string_has_a_fault_exactly_if_it_has_no_utf8(text):
    try:
        text.encode()
        sound = True
    except UnicodeEncodeError:
        sound = False
    assert (json_fault(json.dumps([text]).encode()) is None) == sound


@pytest.mark.parametrize(("levels", "deeper"), [(110, False), (111, True), (5000, True)])
def test_levels_of_objects_and_arrays_are_counted(levels, deeper):
    nested: object = "x"
    for level in range(levels):
        nested = {"x": [], "y": nested} if level % 2 else [1, nested, 2]
    assert nests_deeper(nested) == deeper
