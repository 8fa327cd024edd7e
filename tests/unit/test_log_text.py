import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.logs import log_text

ANYTHING = st.text(st.characters(exclude_categories=())) | st.binary().map(lambda data: data.decode("latin-1"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a line", "a line"),
        ("two\nlines\r\n\n  and one\n", "two | lines | and one"),
        ("a\x85b\u2028c\u2029d\x0be", "a | b | c | d | e"),
        ("\x1b[31mred\x1b[0m \x9b1mbold", "red bold"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("nul \0, tab \t, del \x7f", "nul \\x00, tab \\t, del \\x7f"),
        ("\u202egpj.exe\u2066 \ufeff\u200b", "\\u202egpj.exe\\u2066 \\ufeff\\u200b"),
        ("\ud800", "\\ud800"),
        ("äöü € 😀", "äöü € 😀"),
        ("", ""),
    ],
)
def test_text_is_one_line_that_can_be_printed(text, line):
    assert log_text.one_line(text) == line


@given(ANYTHING, st.integers(1, 400))
def test_no_text_makes_a_second_line_a_control_character_or_a_long_line(text, times):
    line = log_text.one_line(text * times)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in line)
    assert len(line.encode()) <= 1_200


def test_of_what_is_too_long_the_middle_is_left_out():
    line = log_text.one_line("begin " + "x" * 100_000_000 + " end")
    assert line.startswith("begin xxx")
    assert line.endswith("xxx end")
    assert " characters) … " in line


@given(st.dictionaries(ANYTHING, ANYTHING | st.integers() | st.floats() | st.lists(st.text()) | st.none()))
def test_fields_are_bounded_and_can_be_printed(given_fields):
    found = log_text.fields(given_fields)
    assert sum(len(f"{key}{value}".encode()) for key, value in found.items()) <= 600
    assert all(f"{key}{value}".isprintable() for key, value in found.items())


def test_fields_are_plain_values_or_text():
    assert log_text.fields({"n": 1, "ok": True, "none": None, "s": 1.5, "list": [1], "big": 10**30}) == {
        "n": 1,
        "ok": True,
        "none": None,
        "s": 1.5,
        "list": "[1]",
        "big": "1" + "0" * 30,
    }
