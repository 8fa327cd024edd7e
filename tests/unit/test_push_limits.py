import pytest

from stork_node.protocol import push_limits
from stork_node.protocol.push_limits import rounded_integer
from tests.vector_files import vectors


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        (b"18446744073709551615", False),
        (b"18446744073709551616", True),
        (b"-9223372036854775808", False),
        (b"-9223372036854775809", True),
        (b"1" * 5000, True),
        (b"99999999999999999999.0", False),
        (b"99999999999999999999e1", False),
        (b"0.99999999999999999999", False),
        (b"1E99999999999999999999", False),
        (b'"99999999999999999999"', False),
        (b'["\\"", 99999999999999999999]', True),
        (b'{"a":[1,2,{"b":-99999999999999999999}]}', True),
    ],
)
def test_integers_beyond_64_bits_are_found_outside_of_strings(text, wide):
    assert push_limits.has_wide_integer(text) == wide
    assert push_limits.may_have_wide_integer(text) >= wide


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"1", False),
        (b"[" * 100 + b"]" * 100, False),
        (b"[" * 101 + b"]" * 101, True),
        (b'{"a":[' * 50 + b"]}" * 50, False),
        (b'{"a":[' * 50 + b"[]" + b"]}" * 50, True),
        (b'"' + b"[" * 200 + b'"', False),
        (b'["\\"' + b"[" * 200 + b'"]', False),
        (b"[" + b"[]," * 500 + b"{}]", False),
    ],
)
def test_depth_counts_brackets_outside_of_strings(text, deep):
    assert push_limits.is_too_deep(text, 100) == deep
    assert push_limits.may_be_too_deep(text, 100) >= deep


@pytest.mark.parametrize(
    ("text", "nul"),
    [
        (b'"\\u0000"', True),
        (b'{"\\u0000a":1}', True),
        (b'["a","\\u0000"]', True),
        (b'"a\\u0000"', False),
        (b'"\\\\u0000"', False),
        (b'"a\\"\\u0000"', False),
        (b'["a\\\\","\\u0000"]', True),
    ],
)
def test_a_string_that_begins_with_nul_is_found(text, nul):
    assert push_limits.has_nul_string(text) == nul
    assert push_limits.may_have_nul_string(text) >= nul


@vectors("rounded_integers", "texts")
def test_integers_that_javascript_rounds_are_found(case):
    assert rounded_integer(case["text"].encode()) == (case["number"] or "")
