import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.logs.worker_output import OutputReader

RECORD = {"level": "info", "namespace": "app.shop", "text": "an order {of} \n two lines", "fields": {"n": {"m": 1}}}


def written(record):
    return json.dumps(record).encode() + b"\x1e"


def read(*chunks):
    reader = OutputReader()
    return [found for chunk in chunks for found in reader.feed(chunk)] + list(reader.end())


def test_records_and_what_stands_between_them():
    assert read(b"CROSSBAR_RICH_LOGGING_ENABLE=True\n" + written(RECORD) + b"a line\n\n" + written(RECORD)) == [
        RECORD,
        "a line",
        RECORD,
    ]


@pytest.mark.parametrize(
    ("before", "line"),
    [
        (b"no end of line", "no end of line"),
        (b'{"a": 1} and {', '{"a": 1} and {'),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        ("\N{EURO SIGN}".encode(), "\N{EURO SIGN}"),
    ],
)
def test_what_stands_before_a_record_in_its_line_does_not_lose_it(before, line):
    assert read(before + written(RECORD)) == [line, RECORD]


@pytest.mark.parametrize("text", ["[1]", '{"level": "info"}', '{"text": "x"}', "17", "no JSON"])
def test_what_ends_like_a_record_and_is_none_is_a_line(text):
    assert read(text.encode() + b"\x1e") == [text]


def test_the_last_words_of_a_process_are_lines():
    assert read(b"Fatal Python error: Segmentation fault\n\nno end of line") == [
        "Fatal Python error: Segmentation fault",
        "no end of line",
    ]


@given(st.lists(st.binary(max_size=40)), st.integers(1, 7))
def test_no_bytes_before_a_record_lose_it_however_they_come(noise, size):
    stream = b"".join(each + b"\n" + written(RECORD) for each in noise)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [found for found in read(*chunks) if not isinstance(found, str)] == [RECORD] * len(noise)


def test_a_line_without_an_end_keeps_its_beginning_and_its_end():
    [line] = read(b"begin", *[b"x" * 65_536] * 1_600, b"end\n")
    assert line.startswith("beginxxx")
    assert line.endswith("xxxend")
    assert len(line) < 40_000


def test_a_record_comes_after_a_line_without_an_end():
    assert read(b"x" * 100_000 + written(RECORD))[-1] == RECORD


def test_what_nobody_wants_to_know_is_counted():
    reader = OutputReader()
    assert list(reader.feed(b"kept\nhalf")) == ["kept"]
    assert reader.skip(b" a line\nand one\n" + written(RECORD) + b"the next") == 3
    assert list(reader.feed(b" line\n")) == ["the next line"]


def test_nested_too_deep_is_a_line():
    assert len(read(b'{"level": ' + b"[" * 5_000 + b"\x1e")) == 1
