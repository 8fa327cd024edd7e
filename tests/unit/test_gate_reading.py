"""JSON, MessagePack and CBOR as the gate reads them: all that libraries write, and nothing else."""

import contextlib
import json
import struct

import cbor2
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.gate.bounds import Bounds, TooBig, Unreadable
from stork_node.gate.cbor import read_cbor
from stork_node.gate.json_text import read_json
from stork_node.gate.msgpack import read_msgpack

BOUNDS = Bounds(max_bytes=100_000, max_elements=2_000, max_depth=10)

_numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_sound_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_json_scalars = st.none() | st.booleans() | _numbers | _sound_text


def _plain(scalars):
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner), max_leaves=30
    )


@given(_plain(_json_scalars))
def test_json_comes_back_as_it_was_written(value):
    assert read_json(json.dumps(value).encode(), Bounds(100_000, 10_000)) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode(), Bounds(100_000, 10_000)) == value


@given(_plain(_json_scalars | st.text() | st.binary()))
def test_messagepack_and_cbor_come_back_as_they_were_written(value):
    assert read_msgpack(msgpack.packb(value), Bounds(100_000, 10_000)) == value
    assert read_cbor(cbor2.dumps(value), Bounds(100_000, 10_000)) == value


@given(st.binary(max_size=40))
def test_random_bytes_are_read_or_refused(message):
    for read in (read_json, read_msgpack, read_cbor):
        with contextlib.suppress(Unreadable):
            read(message, BOUNDS)


@given(st.binary(max_size=60))
def test_what_is_read_is_what_the_libraries_read(message):
    """No other meaning of the same bytes: a check that reads otherwise than the one behind it is a way around it."""
    for read, library in ((read_msgpack, msgpack.unpackb), (read_cbor, cbor2.loads)):
        try:
            value = read(message, BOUNDS)
        except Unreadable:
            continue
        read_by_library = repr(library(message)).replace("ExtType(code=0, data=b'\\x00')", "None")
        assert repr(value) == read_by_library or "undefined" in read_by_library


def test_undefined_is_null_and_other_extension_types_are_refused():
    wampy = "942001de0002a56d61746368d40000ac6765745f72657461696e6564d40000a976312e746573742e31"
    assert read_msgpack(bytes.fromhex(wampy), BOUNDS) == [32, 1, {"match": None, "get_retained": None}, "v1.test.1"]
    for extension in ("d40001", "d40100", "d4ff00", "d500000000", "c7010000"):
        with pytest.raises(Unreadable, match="it has an extension type of MessagePack"):
            read_msgpack(bytes.fromhex(f"91{extension}"), BOUNDS)
    with pytest.raises(Unreadable):
        read_msgpack(bytes.fromhex("91d400"), BOUNDS)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (b'["\\u0000aGk="]', [b"hi"]),
        (b'{"\\u0000a":["\\u0000"]}', {"\0a": [b""]}),
        (b"[12345678901234567890, 1e3, 123456789012345678901.5]", [12345678901234567890, 1e3, 123456789012345678901.5]),
        (b'["123456789012345678901"]', ["123456789012345678901"]),
        (b'["\\ud83d\\ude00"]', ["😀"]),
    ],
)
def test_json_as_wamp_has_it(message, value):
    assert read_json(message, BOUNDS) == value


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (b"\x9f\x01\x02\xff", [1, 2]),
        (b"\xbf\x61a\x01\xff", {"a": 1}),
        (b"\x7f\x61a\x60\x62bc\xff", "abc"),
        (b"\x5f\x41a\x41b\xff", b"ab"),
        (b"\xf7", None),
        (b"\xf9\x3c\x00", 1.0),
        (b"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", -(2**63)),
    ],
)
def test_cbor_in_its_less_common_forms(message, value):
    assert read_cbor(message, BOUNDS) == value


# -- what is refused ---------------------------------------------------------------------------------------------------

_NOT_JSON = "it is no JSON"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", _NOT_JSON),
        (b"[1", _NOT_JSON),
        (b"[1]]", _NOT_JSON),
        (b"[NaN]", _NOT_JSON),
        (b"[1e400]", _NOT_JSON),
        (b'["\xff"]', _NOT_JSON),
        (b'["\xed\xa0\x80"]', _NOT_JSON),
        (b'["\\ud800"]', _NOT_JSON),
        (b'["\\ude00\\ud83d"]', _NOT_JSON),
        (b"[18446744073709551616]", "an integer is beyond 64 bits"),
        (b"[-9223372036854775809]", "an integer is beyond 64 bits"),
        (b"[" + b"9" * 50_000 + b"]", "an integer is beyond 64 bits"),
        (b"[" * 11 + b"]" * 11, "it has more than 10 levels"),
        (b'{"a":' * 11, "it has more than 10 levels"),
        (b"[" * 11 + b'"' + b'\\"' * 40_000, "it has more than 10 levels"),
        (b"[" + b"1," * 2_000 + b"1]", "it has more than 2000 elements"),
        (b"[" + b"[]," * 2_000 + b"1]", "it has more than 2000 elements"),
        (b'["\\u0000hello"]', "a text that begins with U+0000 is no base64"),
        (b'["\\u0000aGk"]', "a text that begins with U+0000 is no base64"),
        (b'["\\u0000\xc3\xa4"]', "a text that begins with U+0000 is no base64"),
    ],
)
def test_json_that_is_refused(message, reason):
    with pytest.raises(Unreadable) as refused:
        read_json(message, BOUNDS)
    assert refused.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "it is cut short"),
        (b"\x92\x01", "it is cut short"),
        (b"\xa5abc", "it is cut short"),
        (b"\xcd\x01", "it is cut short"),
        (b"\xcb\x01", "it is cut short"),
        (b"\x01\x01", "something follows its end"),
        (b"\xc1", "it is no MessagePack"),
        (b"\xd6\xff\0\0\0\0", "it has an extension type of MessagePack"),
        (b"\xc7\x01\x01\x01", "it has an extension type of MessagePack"),
        (b"\x81\x01\x01", "a key is no text"),
        (b"\x81\xc4\x01a\x01", "a key is no text"),
        (b"\x81\x90\x01", "a key is no text"),
        (b"\xa1\xff", "a text is no UTF-8"),
        (b"\xa3\xed\xa0\x80", "a text is no UTF-8"),
        (b"\xcb" + struct.pack(">d", float("nan")), "a number is not finite"),
        (b"\xca" + struct.pack(">f", float("inf")), "a number is not finite"),
        (b"\x91" * 11 + b"\x01", "it has more than 10 levels"),
        (b"\xdd\xff\xff\xff\xff", "it has more than 2000 elements"),
        (b"\xdf\x00\x00\x04\x00", "it has more than 2000 elements"),
        (b"\xdc\x07\xd0" + b"\x80" * 2_000, "its values need too much memory for its size"),
    ],
)
def test_messagepack_that_is_refused(message, reason):
    with pytest.raises(Unreadable) as refused:
        read_msgpack(message, BOUNDS)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "it is cut short"),
        (b"\x82\x01", "it is cut short"),
        (b"\x9f\x01", "it is cut short"),
        (b"\x7f\x61a", "it is cut short"),
        (b"\x7b" + b"\xff" * 8, "it is cut short"),
        (b"\x01\x01", "something follows its end"),
        (b"\x1c", "it is no CBOR"),
        (b"\x1f", "it is no CBOR"),
        (b"\xff", "it ends before its last element"),
        (b"\x82\x01\xff", "it ends before its last element"),
        (b"\xbf\x61a\xff", "a key is no text"),
        (b"\xd8\x1c\x82\xd8\x1d\0\xd8\x1d\0", "it has a tag of CBOR"),
        (b"\xc2\x50" + b"\xff" * 16, "it has a tag of CBOR"),
        (cbor2.dumps(2**64), "it has a tag of CBOR"),
        (b"\x3b\x80" + b"\0" * 7, "an integer is beyond 64 bits"),
        (b"\xf0", "it has a simple value of CBOR that means nothing here"),
        (b"\xf8\xff", "it has a simple value of CBOR that means nothing here"),
        (b"\xf9\x7e\x00", "a number is not finite"),
        (b"\xa1\x01\x01", "a key is no text"),
        (b"\xa1\x41a\x01", "a key is no text"),
        (b"\x7f\x41a\xff", "a text in pieces has a piece of another type"),
        (b"\x7f\x7f\x61a\xff\x01\xff", "a text in pieces has a piece of another type"),
        (b"\x61\xff", "a text is no UTF-8"),
        (b"\x81" * 11 + b"\x01", "it has more than 10 levels"),
        (b"\x9f" * 11, "it has more than 10 levels"),
        (b"\x9b" + b"\xff" * 8, "it has more than 2000 elements"),
        (b"\x9f" + b"\x01" * 2_001 + b"\xff\xff", "it has more than 2000 elements"),
        (b"\x81\x9f" + b"\x01" * 2_001 + b"\xff", "it has more than 2000 elements"),
        (b"\x7f" + b"\x60" * 2_001 + b"\xff", "it has more than 2000 elements"),
        (b"\x99\x07\xd0" + b"\xa0" * 2_000, "its values need too much memory for its size"),
    ],
)
def test_cbor_that_is_refused(message, reason):
    with pytest.raises(Unreadable) as refused:
        read_cbor(message, BOUNDS)
    assert refused.value.reason == reason


@pytest.mark.parametrize("read", [read_json, read_msgpack, read_cbor])
def test_more_bytes_than_allowed_are_not_looked_at(read):
    with pytest.raises(TooBig, match="it has more than 100000 bytes"):
        read(b"\xff" * 100_001, BOUNDS)


def test_a_backend_may_send_numbers_that_are_not_finite():
    bounds = Bounds(100, 100, is_finite=False)
    assert read_cbor(b"\xf9\x7c\x00", bounds) == float("inf")
    assert read_msgpack(b"\xca" + struct.pack(">f", float("-inf")), bounds) == float("-inf")
