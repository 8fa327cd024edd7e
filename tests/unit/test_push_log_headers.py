import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.protocol.positions import MAX_SEQUENCE
from stork_node.push_log.segment_files.headers import (
    MAX_HEADER_BYTES,
    BadHeader,
    Header,
    Origin,
    decode_header,
    encode_header,
)

HEADER = Header(12, 1, 1_700_000_000_000, Origin("0123456789abcdef", "boot", "machine", "always"))
LINE = (
    b'stork log 1 {"first":12,"previous":1,"created_ms":1700000000000,"origin":'
    b'{"epoch":"0123456789abcdef","boot":"boot","machine":"machine","sync":"always"}} 4601624e\n'
)


def signed(line: bytes) -> bytes:
    return b"%b%08x\n" % (line, zlib.crc32(line))


def test_a_header_is_a_line_that_people_can_read():
    assert encode_header(HEADER) == LINE
    assert decode_header(LINE + b"\xffS\n") == (HEADER, len(LINE))


@given(
    st.integers(1, MAX_SEQUENCE),
    st.none() | st.integers(1, MAX_SEQUENCE),
    st.integers(0, 2**60),
    st.text(st.characters(codec="utf-8"), max_size=64),
    st.text(st.characters(codec="utf-8"), max_size=64),
    st.sampled_from(["second", "always", "never"]),
)
def test_any_header_comes_back_from_its_line(first, previous, created_ms, boot, machine, sync):
    header = Header(first, previous, created_ms, Origin("e", boot, machine, sync))
    line = encode_header(header)
    assert line.count(b"\n") == 1
    assert len(line) < MAX_HEADER_BYTES
    assert decode_header(line) == (header, len(line))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "it does not begin as a segment does"),
        (LINE[:-1], "it does not begin as a segment does"),
        (b"\0" * 200, "it does not begin as a segment does"),
        (b"stork log\n", "it does not begin as a segment does"),
        (b"stork log \n", "the checksum of its first line is wrong"),
        (LINE.replace(b"12", b"13"), "the checksum of its first line is wrong"),
        (signed(b"stork log 2 something else "), "its format is 2, and this release reads 1"),
        (signed(b"stork log 1 x "), "its first line: JSON is malformed: invalid character (byte 0)"),
        (signed(b'stork log 1 {"first":0} '), "its first line: Expected `int` >= 1 - at `$.first`"),
    ],
)
def test_what_is_no_header_is_refused_with_the_reason(line, reason):
    with pytest.raises(BadHeader) as caught:
        decode_header(line)
    assert str(caught.value) == reason
