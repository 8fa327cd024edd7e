import math

import cbor2
import msgpack
import msgspec
import pytest
from autobahn.wamp import message
from autobahn.wamp.serializer import CBORObjectSerializer, JsonObjectSerializer, MsgPackObjectSerializer
from hypothesis import given
from hypothesis import strategies as st

from stork_node.errors import UnwritableEvent
from stork_node.protocol.wamp_events import FRAMES, Content, framed

AUTOBAHN = {each.NAME: each() for each in (JsonObjectSerializer, MsgPackObjectSerializer, CBORObjectSerializer)}
TOPIC = "v1.orders.42"

# What a push may hold (docs/delivery.md#push-document).
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: not text.startswith("\0"))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def as_autobahn_sends_it(serializer, args, topic, subscription=7, publication=2**53):
    said = message.Event(subscription, publication, args=args, kwargs={"position": "e:1"}, topic=topic)
    return AUTOBAHN[serializer].serialize(said.marshal())


@pytest.mark.parametrize("serializer", FRAMES)
@pytest.mark.parametrize("topic", [None, TOPIC])
@given(event=values, publication=st.integers(1, 2**53), subscription=st.integers(1, 2**53))
def test_a_message_is_what_autobahn_would_send_for_the_same_json(serializer, topic, event, publication, subscription):
    text = AUTOBAHN["json"].serialize(event)
    frame = FRAMES[serializer](subscription, publication, topic, Content(text, "e:1"))
    expected = as_autobahn_sends_it(serializer, [event], topic, subscription, publication)
    assert frame == framed(0x81 if serializer == "json" else 0x82, expected)


@pytest.mark.parametrize("serializer", FRAMES)
def test_an_event_without_an_argument_is_what_autobahn_would_send(serializer):
    frame = FRAMES[serializer](7, 2**53, None, Content(None, "e:1"))
    assert frame[2:] == as_autobahn_sends_it(serializer, [], None)


@pytest.mark.parametrize("text", ["1.0", "1", "-0.0", "-0", "1e3", "1E4", "123456789012345678", "0.1"])
def test_numbers_are_read_as_pythons_json_reads_them(text):
    # autobahn reads JSON with it, so that this is what Crossbar's own publish would make of a number.
    expected = AUTOBAHN["json"].unserialize(text.encode())[0]
    [read] = Content(text.encode(), "e:1").args()
    assert (type(read), read) == (type(expected), expected)
    assert math.copysign(1, read) == math.copysign(1, expected)


def test_json_clients_get_the_bytes_that_were_pushed():
    event = b'{ "data" : "\\u00e4\xc3\xa4" , "number":1.50e1 }'
    frame = FRAMES["json"](7, 8, TOPIC, Content(event, "e:1"))
    assert frame[2:] == b'[36,7,8,{"topic":"v1.orders.42"},[' + event + b'],{"position":"e:1"}]'


def test_the_event_is_converted_once_for_each_serializer():
    content = Content(b'{"data":1}', "e:1")
    assert content.end("msgpack") is content.end("msgpack")
    assert content.end("msgpack") == msgpack.packb([{"data": 1}]) + msgpack.packb({"position": "e:1"})
    assert content.end("cbor") == cbor2.dumps([{"data": 1}]) + cbor2.dumps({"position": "e:1"})


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_tells_its_length_in_the_shortest_form(length, head):
    assert framed(0x81, b"x" * length) == head + b"x" * length


@pytest.mark.parametrize("serializer", ["msgpack", "cbor"])
@pytest.mark.parametrize("event", [b"{", b"\xff", b"1e400"])
def test_what_a_serializer_cannot_hold_says_so(serializer, event):
    with pytest.raises(UnwritableEvent, match="it is not JSON"):
        FRAMES[serializer](7, 8, None, Content(event, "e:1"))


def test_a_number_beyond_messagepack_says_so(monkeypatch):
    monkeypatch.setattr("stork_node.protocol.wamp_events._decode_json", lambda _: 2**70)
    with pytest.raises(UnwritableEvent, match="msgpack cannot hold it"):
        FRAMES["msgpack"](7, 8, None, Content(b"1180591620717411303424", "e:1"))


def test_messagepack_of_msgspec_is_messagepack():
    assert msgspec.msgpack.decode(FRAMES["msgpack"](7, 8, None, Content(b"1.5", "e:1"))[2:])[4] == [1.5]
