import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.push_log.entries import ERASED, NUMBER, PUSH
from stork_node.push_log.segment_files.records import (
    HEAD_BYTES,
    SEAL_BYTES,
    BadRecord,
    Record,
    Seal,
    decode_record,
    decode_seal,
    encode_record,
    encode_seal,
    holds_record,
    read_ids,
    record_bytes,
)

RECORDS = st.tuples(
    st.sampled_from([PUSH, NUMBER, ERASED]),
    st.booleans(),
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**63),
    st.text(max_size=128).map(str.encode),
    st.binary(max_size=300),
)
ONE = encode_record(PUSH, True, 7, 1_700_000_000_000, b"k", b"stork 1 push {}\n{}")


@given(RECORDS, st.binary(max_size=20), st.binary(max_size=20))
def test_any_record_comes_back_from_its_bytes_wherever_they_are(fields, before, after):
    encoded = encode_record(*fields)
    record = decode_record(before + encoded + after, len(before))
    assert record == Record(*fields, end=len(before) + len(encoded))
    assert record_bytes(before + encoded + after, len(before)) == len(encoded)


@given(st.booleans(), st.integers(0, 2**53 - 1), st.integers(0, 2**63), st.integers(0, 2**32 - 1))
def test_any_seal_comes_back_from_its_bytes(closed, last, time_ms, checksum):
    seal = Seal(closed, last, time_ms, checksum)
    encoded = encode_seal(seal)
    assert len(encoded) == SEAL_BYTES
    record = decode_record(encoded, 0)
    assert record is not None
    assert decode_seal(record) == seal


def test_the_beginning_of_a_record_is_none_yet():
    assert {decode_record(ONE[:size], 0) for size in range(len(ONE))} == {None}


def test_a_record_with_a_flipped_bit_is_neither_short_nor_good():
    for bit in range(len(ONE) * 8):
        damaged = bytearray(ONE)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadRecord):
            decode_record(bytes(damaged), 0)


@given(st.binary(min_size=HEAD_BYTES, max_size=200))
def test_random_bytes_are_no_record(data):
    if data[:2] != ONE[:2]:
        with pytest.raises(BadRecord, match="no record begins here"):
            decode_record(data, 0)
        with pytest.raises(BadRecord, match="no record begins here"):
            record_bytes(data, 0)


@given(st.lists(RECORDS, max_size=20))
def test_ids_are_read_without_the_rest(records):
    data = b"head" + b"".join(encode_record(*fields) for fields in records)
    assert list(read_ids(data, 4)) == [(fields[2], fields[3], fields[4]) for fields in records if fields[4]]


def test_a_whole_record_is_found_behind_damage():
    later = encode_record(NUMBER, False, 9, 1, b"", b"")
    assert holds_record(b"\xffS" * 50 + ONE, 0, starts_batch=True)
    assert holds_record(b"\0" * 50 + later, 0, starts_batch=False)
    assert not holds_record(b"\0" * 50 + later, 0, starts_batch=True)
    assert not holds_record(b"\0" * 50 + later[:-1], 0, starts_batch=False)
    assert not holds_record(ONE, 1, starts_batch=False)
