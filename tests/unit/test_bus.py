import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.errors import InvalidFrame, UnknownProtocol
from stork_node.protocol.bus import (
    PREFIX,
    PROTOCOL,
    EraseFrame,
    Heartbeat,
    OtherFrame,
    PushFrame,
    decode_frame,
    encode_erase_frame,
    encode_heartbeat,
    encode_push_frame,
)
from stork_node.protocol.positions import MAX_SEQUENCE, Position
from stork_node.protocol.push import Push, decode_push, encode_push
from tests.malformed import NOW
from tests.unit.test_push import TEXTS, TOPICS, VALUES

POSITION = Position("0123456789abcdef", 12)
RUN = "89abcdef"
PUSH = Push(("v1.orders.42", "v1.user.7"), "order_paid", b'{"id": 42,\n "total": 1.50}', NOW, "k", (5, 6), False)
PUSH_FRAME = (
    b'stork 1 push {"epoch":"0123456789abcdef","sequence":12,"run":"89abcdef","topics":["v1.orders.42","v1.user.7"],'
    b'"exclude":[5,6],"store":false}\n'
    b'{"type":"order_paid","data":{"id": 42,\n "total": 1.50},"timestamp":"2026-01-31T12:00:00.000Z"}'
)
ERASE_FRAME = b'stork 1 erase {"epoch":"0123456789abcdef","sequence":12,"run":"89abcdef","topic":"v1.user.7"}'
HEARTBEAT_FRAME = (
    b'stork 1 heartbeat {"epoch":"0123456789abcdef","sequence":12,"run":"89abcdef","time":"2026-01-31T12:00:00.000Z",'
    b'"counters":{"accepted":3}}'
)


def test_a_push_frame_is_a_line_and_the_event_as_it_came():
    assert encode_push_frame(POSITION, RUN, PUSH) == PUSH_FRAME
    event = PUSH_FRAME.partition(b"\n")[2]
    assert decode_frame(PUSH_FRAME) == PushFrame(POSITION, RUN, PUSH.topics, (5, 6), False, event)


def test_a_frame_may_have_a_proof():
    push = encode_push_frame(POSITION, RUN, PUSH, "0123")
    assert push == PUSH_FRAME.replace(b'"store":false', b'"store":false,"proof":"0123"')
    erasure = encode_erase_frame(POSITION, RUN, "v1.user.7", "0123")
    other = erasure.replace(b" erase ", b" newer ")
    assert [decode_frame(frame).proof for frame in (push, erasure, other)] == ["0123"] * 3


def test_a_heartbeat_is_a_line():
    assert encode_heartbeat(POSITION, RUN, NOW, {"accepted": 3}) == HEARTBEAT_FRAME
    assert decode_frame(HEARTBEAT_FRAME) == Heartbeat(POSITION, RUN, NOW, {"accepted": 3})


def test_an_erasure_is_a_line():
    assert encode_erase_frame(POSITION, RUN, "v1.user.7") == ERASE_FRAME
    assert decode_frame(ERASE_FRAME) == EraseFrame(POSITION, RUN, "v1.user.7")


@pytest.mark.parametrize("rest", [b"", b"\n{}", b"\nanything"])
def test_a_kind_of_a_newer_release_has_its_number(rest):
    frame = ERASE_FRAME.replace(b" erase ", b" unheard_of ").replace(b'"topic"', b'"consumer"') + rest
    assert decode_frame(frame) == OtherFrame(POSITION, RUN, "unheard_of")


def test_frames_begin_with_what_relays_subscribe_to():
    assert PROTOCOL == 1
    assert PUSH_FRAME.startswith(PREFIX)
    assert HEARTBEAT_FRAME.startswith(PREFIX)


@given(
    st.lists(TOPICS, min_size=1, max_size=4, unique=True),
    TEXTS.filter(lambda text: 1 <= len(text) <= 255),
    VALUES,
    st.lists(st.integers(1, 2**53), max_size=3),
    st.booleans(),
    st.integers(0, MAX_SEQUENCE),
)
def test_any_push_comes_back_from_its_frame(topics, type_, data, exclude, store, sequence):
    push = decode_push(encode_push(topics, type_, data, exclude=exclude, store=store), NOW)
    frame = decode_frame(encode_push_frame(Position("e", sequence), RUN, push))
    assert isinstance(frame, PushFrame)
    assert (frame.position, frame.topics) == (Position("e", sequence), tuple(topics))
    assert (frame.exclude, frame.store) == (tuple(exclude), store)
    assert json.loads(frame.event) == {"type": type_, "data": data, "timestamp": NOW}
    assert b'"data":' + push.data + b"," in frame.event


@pytest.mark.parametrize("number", ["0", "2", "10", "01", "x", ""])
def test_frames_of_another_protocol_number_are_named_whatever_follows(number):
    for rest in ("push {}\n{}", "heartbeat {}", "something else", ""):
        with pytest.raises(UnknownProtocol) as caught:
            decode_frame(f"stork {number} {rest}".encode())
        assert str(caught.value) == (
            f"not a frame of the bus: protocol number {number} is not one that this release speaks"
        )


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "it does not begin with 'stork' and a protocol number"),
        (b"stork", "it does not begin with 'stork' and a protocol number"),
        (b"virge:stork a:1:{}", "it does not begin with 'stork' and a protocol number"),
        (b"stork 1", "it has no header"),
        (b"stork 1 push", "it has no header"),
        (
            HEARTBEAT_FRAME.replace(b"heartbeat", b"Greeting"),
            "b'Greeting' is not a kind of frame, or its event is missing",
        ),
        (PUSH_FRAME.partition(b"\n")[0], "b'push' is not a kind of frame, or its event is missing"),
        (HEARTBEAT_FRAME + b"\n", "b'heartbeat' is not a kind of frame, or its event is missing"),
        (b"stork 1 push {}\n{}", "its header: Object missing required field `epoch`"),
        (b"stork 1 push x\n{}", "its header: JSON is malformed: invalid character (byte 0)"),
        (
            HEARTBEAT_FRAME.replace(b"12,", b"-1,"),
            "its header: Expected `int` >= 0 - at `$.sequence`",
        ),
        (
            HEARTBEAT_FRAME.replace(b"12,", b"9007199254740992,"),
            "its header: Expected `int` <= 9007199254740991 - at `$.sequence`",
        ),
    ],
)
def test_what_is_not_a_frame_is_refused_with_its_reason(frame, reason):
    with pytest.raises(InvalidFrame) as caught:
        decode_frame(frame)
    assert caught.value.reason == reason


@given(st.binary(), st.integers(0, 120))
def test_bytes_at_random_are_a_frame_or_invalid_and_nothing_else(noise, place):
    for frame in (noise, PUSH_FRAME[:place] + noise + PUSH_FRAME[place + len(noise) :], b"stork 1 push " + noise):
        with suppress(InvalidFrame):
            decode_frame(frame)
