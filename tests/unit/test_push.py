import dataclasses
import json
import math
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from stork_node.errors import InvalidPush
from stork_node.protocol.push import (
    MAX_PUSH_BYTES,
    PositionRequest,
    Push,
    decode_push,
    decode_request,
    encode_push,
    readable_id,
)
from tests.malformed import NOW, document, with_data
from tests.vector_files import frame_of, vectors

TOPICS = st.from_regex(r"[A-Za-z0-9_\-:@~]{1,20}\.[a-z]{1,9}\.[A-Za-z0-9_\-:@~]{1,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: not text.startswith("\0"))
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def refusal(frame: bytes) -> str:
    with pytest.raises(InvalidPush) as caught:
        decode_push(frame, NOW)
    return caught.value.reason


@vectors("push_documents", "refused")
def test_a_malformed_push_is_refused_with_its_reason(case):
    assert refusal(frame_of(case)) == case["reason"]


@vectors("push_documents", "accepted")
def test_an_accepted_push_is_kept_as_given(case):
    push = msgspec.to_builtins(decode_push(frame_of(case), NOW)) | {"data": decode_push(frame_of(case), NOW).data}
    assert push == case["push"] | {
        "topics": tuple(case["push"]["topics"]),
        "exclude": tuple(case["push"]["exclude"]),
        "data": case["push"]["data"].encode(),
    }


@vectors("push_documents", "data")
def test_data_at_the_limits_is_accepted_as_the_bytes_that_came(case):
    data = case["data"].encode()
    assert decode_push(with_data(data), NOW).data == data


def test_a_topic_named_twice_counts_once():
    thousand = [f"v1.a.{i}" for i in range(1000)]
    assert decode_push(document(topics=["v1.a.1"] * 1001), NOW).topics == ("v1.a.1",)
    assert decode_push(document(topics=[*thousand, *thousand]), NOW).topics == tuple(thousand)
    assert (
        refusal(document(topics=[*thousand, "v1.a.1", "v1.a.x"])) == "topics: 1,001 topics, at most 1,000 are allowed"
    )


def test_a_reason_is_one_short_line_whatever_was_sent():
    for frame in (document(topics=["x\n" * 500]), document(**{"k\n" * 500: 1}), document(timestamp="\n" * 9999)):
        reason = refusal(frame)
        assert "\n" not in reason
        assert len(reason) < 400


@pytest.mark.parametrize("depth", [1, 28, 100])
def test_the_depth_of_data_is_a_setting(depth):
    text = "[" * depth + "]" * depth
    frame = f'{{"topics":["v1.a.1"],"type":"t","data":{text}}}'.encode()
    deeper = frame.replace(b"[]", b"[[]]")
    assert decode_push(frame, NOW, depth).data == text.encode()
    with pytest.raises(InvalidPush, match=f"nested more than {depth} levels"):
        decode_push(deeper, NOW, depth)
    with pytest.raises(InvalidPush, match=f"nested more than {depth} levels"):
        decode_push(frame.replace(b"[]", b"[" * 9999 + b"]" * 9999), NOW, depth)


# --- against the json module, which knows nothing of msgspec ---------------------------------------------------------

WEIRD_PARTS = ["a", "é", "\U0001f600", "\\u0000", "\\ud83d", "\\uDE00", "\\ud83d\\ude00", "\\\\", '\\"', "\\n", "\\/"]
WEIRD_PARTS += ["u0000", "[", "{", "9" * 19, "1e999", "\\q", "\\u12", "\x01", "\\u00e9"]
WEIRD_TEXTS = st.lists(st.sampled_from(WEIRD_PARTS), max_size=4).map(lambda parts: f'"{"".join(parts)}"')
NUMBER_TEXTS = """
    0 -0 00 1. .5 1e5 1e400 -1E+400 1e-400 1e0000308 1e309 - +1 0x1 1_0 true false null nul NaN Infinity -Infinity
    18446744073709551615 18446744073709551616 -9223372036854775808 -9223372036854775809 9999999999999999999.5
    123456789012345678901234567890e-10
"""
WEIRD_NUMBERS = st.sampled_from(NUMBER_TEXTS.split())
SPACE = st.sampled_from(["", " ", "\n\t", "\r", "\x0b"])


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in members) + "}"


WEIRD_JSON = st.recursive(
    WEIRD_TEXTS | WEIRD_NUMBERS,
    lambda inner: (
        st.lists(st.builds("{}{}".format, SPACE, inner), max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(WEIRD_TEXTS, inner), max_size=4).map(_object)
        | st.builds(lambda depth, item: "[" * depth + item + "]" * depth, st.integers(20, 40), inner)
    ),
    max_leaves=8,
)


def keeps_the_rules(frame: bytes) -> bool:
    """The rules of docs/delivery.md#push-document for the values of a document, without the decoder's code."""

    def check_text(text: str) -> str:
        text.encode()
        if text.startswith("\0"):
            raise ValueError
        return text

    def integer(digits: str) -> int:
        if not -(2**63) <= int(digits) < 2**64:
            raise ValueError
        return int(digits)

    def double(digits: str) -> float:
        if not math.isfinite(float(digits)):
            raise ValueError
        return float(digits)

    def members(pairs: list[tuple[str, Any]]) -> list[Any]:
        return [item for key, value in pairs for item in (check_text(key), value)]

    def refuse(_: str) -> None:
        raise ValueError

    def depth(value: Any) -> int:
        if isinstance(value, str):
            check_text(value)
        return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0

    try:
        found = json.loads(
            frame.decode(), parse_int=integer, parse_float=double, parse_constant=refuse, object_pairs_hook=members
        )
        return depth(found) <= 29  # the document itself is one level, its data has 28
    except ValueError:
        return False


@given(WEIRD_JSON)
def test_data_is_accepted_exactly_when_the_json_module_finds_no_fault(text):
    frame = with_data(text.encode())
    try:
        accepted = decode_push(frame, NOW).data == text.strip(" \n\r\t").encode()
    except InvalidPush:
        accepted = False
    assert accepted == keeps_the_rules(frame)


@given(st.binary(), st.integers(0, 200), st.integers(0, 3))
def test_bytes_at_random_are_a_push_or_refused_and_nothing_else(noise, place, cut):
    whole = document(data={"a": [1, "x"]}, id="k", timestamp=NOW, exclude=[5], store=True)
    for frame in (noise, whole[:place] + noise + whole[place + cut :]):
        with suppress(InvalidPush):
            decode_push(frame, NOW)
        with suppress(InvalidPush):
            decode_request(frame, NOW)
        readable_id(frame)


# --- writing ---------------------------------------------------------------------------------------------------------


@given(
    topics=st.lists(TOPICS, min_size=1, max_size=5, unique=True),
    type_=TEXTS.filter(lambda text: 1 <= len(text) <= 255),
    data=VALUES,
    id_=st.none() | TEXTS.filter(lambda text: 1 <= len(text) <= 128),
    exclude=st.lists(st.integers(1, 2**53)),
    store=st.booleans(),
    timestamp=st.sampled_from([None, NOW, "1996-12-19T16:39:57-08:00"]),
)
def test_what_is_written_is_read_back(topics, type_, data, id_, exclude, store, timestamp):
    frame = encode_push(topics, type_, data, id=id_, exclude=exclude, store=store, timestamp=timestamp)
    push = decode_push(frame, NOW)
    assert json.loads(push.data) == data
    assert push == Push(tuple(topics), type_, push.data, timestamp or NOW, id_, tuple(exclude), store)


@dataclasses.dataclass
class Order:
    id: uuid.UUID
    paid_at: datetime


def test_data_may_be_what_applications_have():
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    order = Order(uuid.UUID(int=1), at)
    push = decode_push(encode_push("v1.a.1", "t", {"order": order}, timestamp=at), NOW)
    assert push.data == b'{"order":{"id":"00000000-0000-0000-0000-000000000001","paid_at":"2026-01-31T12:00:00Z"}}'
    assert push.timestamp == "2026-01-31T12:00:00+00:00"


def test_ready_json_goes_as_it_is():
    assert decode_push(encode_push("v1.a.1", "t", Raw(b"[1.50, 1e2]")), NOW).data == b"[1.50, 1e2]"


def _endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"data": math.nan}, "data: Out of range float values are not JSON compliant"),
        ({"data": [math.inf]}, "data: Out of range float values are not JSON compliant"),
        ({"data": 2**64}, "data: an integer is not within -2^63 to 2^64-1"),
        ({"data": "\ud800"}, "data: a string holds a lone surrogate"),
        (
            {"data": "\0"},
            "frame: a string begins with U+0000, which WAMP's JSON reads as binary",
        ),
        ({"data": object()}, "data: Encoding objects of type object is unsupported"),
        ({"data": {(1, 2): 3}}, "data: keys must be str, int, float, bool or None, not tuple"),
        ({"data": _endless()}, "data: Circular reference detected"),
        ({"data": _deep(100)}, "data: nested more than 100 levels"),
        ({"data": _deep(5000)}, "data: nested more than 100 levels"),
        ({"type": None}, "type: expected a string, got null"),
        ({"store": "yes"}, "store: expected true or false, got str"),
        (
            {"timestamp": datetime(2026, 1, 31)},
            "timestamp: '2026-01-31T00:00:00' is not RFC 3339 (want 2026-01-31T12:00:00.000Z)",
        ),
    ],
)
def test_a_push_that_would_be_refused_is_not_written(arguments, reason):
    with pytest.raises(InvalidPush) as caught:
        encode_push(**({"topics": "v1.orders.42", "type": "t"} | arguments))
    assert caught.value.reason == reason


@vectors("push_documents", "pushed")
def test_a_pusher_is_told_before_anything_is_sent(case):
    push = dict(case["push"])
    if "data_json" in push:
        push["data"] = Raw(push.pop("data_json").encode())
    try:
        encode_push(**push)
        said = None
    except InvalidPush as error:
        said = error.reason
    assert said == case["python"]


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [b'{"position":true}', b' { "position" : true } '])
def test_a_request_of_the_position_is_told_from_a_push(frame):
    assert decode_request(frame, NOW) == PositionRequest()
    assert isinstance(decode_request(document(data="position", type="position"), NOW), Push)
    assert isinstance(decode_request(document(data={"position": True}), NOW), Push)


@pytest.mark.parametrize(
    "frame", [b'{"position":false}', b'{"position":1}', b'{"position":true,"id":"x"}', b'{"position":"\xff"}']
)
def test_what_only_looks_like_a_request_of_the_position_is_refused(frame):
    with pytest.raises(InvalidPush):
        decode_request(frame, NOW)


@pytest.mark.parametrize(
    ("frame", "id_"),
    [
        (document(id="k", topics=[]), "k"),
        (document(topics=[]), None),
        (document(id=""), None),
        (document(id="x" * 129), None),
        (document(id=5), None),
        (b'{"id":"k"', None),
        (b'{"id":"\xff"}', None),
        (b"[" * 100_000, None),
        (b'{"id":"k","data":"' + b"x" * MAX_PUSH_BYTES, None),
    ],
)
def test_the_id_of_a_refused_push_is_found_where_it_can_be_read(frame, id_):
    assert readable_id(frame) == id_
