import json

import msgspec
import pytest

from stork_node.protocol.push import decode_push
from stork_node.pusher.apps import App
from stork_node.pusher.channels import channel_of
from stork_node.pusher.errors import HttpRefusal
from stork_node.pusher.http.events import read_batch, read_event

APP = App("1", {"key": "secret"})
EVENT = {"name": "paid", "data": '{"a": 1}', "channel": "orders.1"}
NOW = "2026-01-31T12:00:00.000Z"


def read(**changed):
    body = {name: value for name, value in (EVENT | changed).items() if value is not ...}
    return read_event(APP, json.dumps(body).encode(), None)


def push(event):
    return decode_push(event.frame("id-1"), NOW)


def refused(function, *args):
    with pytest.raises(HttpRefusal) as caught:
        function(*args)
    return caught.value.status, caught.value.reason


def test_an_event_becomes_one_push():
    pushed = push(read(channels=["orders.1", "private-a", "orders.1"], channel=..., socket_id="77.1"))
    assert pushed.topics == ("pusher.orders.1", "pusher.private-~.a")
    assert (pushed.type, pushed.data, pushed.exclude, pushed.store) == ("paid", b'{"a": 1}', (77,), True)
    assert [channel_of(topic, "pusher").name for topic in pushed.topics] == ["orders.1", "private-a"]


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        ('{"a":1}', b'{"a":1}'),
        ('{ "a" : [1, 2] }', b'{ "a" : [1, 2] }'),
        ("[]", b"[]"),
        ("", b'""'),
        ("plain", b'"plain"'),
        ("7", b'"7"'),
        ("null", b'"null"'),
        ('"quoted"', b'"\\"quoted\\""'),
        ("{no json}", b'"{no json}"'),
        (' {"a":1}', b'" {\\"a\\":1}"'),
        ('{"a":1}\n', b'"{\\"a\\":1}\\n"'),
        ('{"a":1e999}', b'"{\\"a\\":1e999}"'),
        ("[" * 200 + "]" * 200, b'"' + b"[" * 200 + b"]" * 200 + b'"'),
        ('["\\u0000a"]', b'"[\\"\\\\u0000a\\"]"'),
        ("[99999999999999999999]", b'"[99999999999999999999]"'),
    ],
)
def test_data_is_stored_as_an_object_or_as_a_string(data, stored):
    assert push(read(data=data)).data == stored


def test_the_data_of_a_client_event_stays_a_string():
    assert push(read(name="client-x")).data == b'"{\\"a\\": 1}"'


def test_null_and_unknown_keys_are_ignored():
    pushed = push(read(channels=None, socket_id=None, info=None, id=None, tags={"a": 1}))
    assert pushed.topics == ("pusher.orders.1",)
    assert pushed.exclude == ()


def test_an_id_may_come_in_the_body_or_in_the_header():
    body = json.dumps(EVENT).encode()
    assert read_event(APP, body, None).id is None
    assert read_event(APP, body, "h").id == "h"
    with_id = json.dumps(EVENT | {"id": "b"}).encode()
    assert read_event(APP, with_id, "b").id == read_event(APP, with_id, None).id == "b"
    assert refused(read_event, APP, with_id, "h")[0] == 400


def test_info_names_what_is_to_be_told():
    assert read(info="user_count,subscription_count").info == ("user_count", "subscription_count")


@pytest.mark.parametrize("socket_id", ["0.1", "9007199254740993.1", "9" * 4_000 + ".1"])
def test_a_socket_that_no_node_can_have_is_ignored(socket_id):
    assert push(read(socket_id=socket_id)).exclude == ()


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"name": ""}, 400, "the name of an event has 1 to 200 characters"),
        ({"name": "a" * 201}, 400, "the name of an event has 1 to 200 characters"),
        ({"name": "pusher:error"}, 400, "'pusher:error' is a name of the protocol itself"),
        ({"name": "pusher_internal:x"}, 400, "'pusher_internal:x' is a name of the protocol itself"),
        ({"name": ...}, 400, "the body has not the form of an event: Object missing required field `name`"),
        ({"data": {"a": 1}}, 400, "the body has not the form of an event: Expected `str`, got `object` - at `$.data`"),
        ({"data": ...}, 400, "the body has not the form of an event: Object missing required field `data`"),
        ({"data": "a" * (1 << 20) + "a"}, 413, "data has at most 1,048,576 bytes"),
        ({"channel": ...}, 400, "an event has 1 to 100 channels, this one has 0"),
        ({"channels": []}, 400, "an event has 1 to 100 channels, this one has 0"),
        (
            {"channels": [f"a.{n}" for n in range(101)]},
            400,
            "an event has 1 to 100 channels, this one has 101",
        ),
        ({"channel": "a b"}, 400, "'a b' is not a channel: only letters, digits and - _ = @ , . ; are allowed"),
        ({"channel": ""}, 400, "'' is not a channel: the name of a channel has at least one character"),
        ({"socket_id": "1"}, 400, "'1' is not a socket_id (want 123.456)"),
        ({"socket_id": "1.2\n"}, 400, "'1.2\\n' is not a socket_id (want 123.456)"),
    ],
)
def test_an_event_is_refused(changed, status, reason):
    body = {name: value for name, value in (EVENT | changed).items() if value is not ...}
    assert refused(read_event, APP, json.dumps(body).encode(), None) == (status, reason)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff", "the body is not UTF-8"),
        (b"[]", "the body has not the form of an event: Expected `object`, got `array`"),
        (b'{"name":"a","channel":"c","data":"\\ud800"}', "the body is not JSON"),
        (b"[" * 100_000, "the body has not the form of an event: Expected `object`, got `array`"),
    ],
)
def test_a_body_that_is_no_event_is_refused(body, reason):
    assert refused(read_event, APP, body, None) == (400, reason)


def test_what_the_publish_server_would_refuse_is_found_before():
    assert refused(read(data="\0a").frame, "x") == (
        400,
        "frame: a string begins with U+0000, which WAMP's JSON reads as binary",
    )
    assert refused(read(data="a" * (1 << 20)).frame, "x")[0] == 413


def test_a_batch_is_checked_as_a_whole():
    events = read_batch(APP, json.dumps({"batch": [EVENT, EVENT | {"channel": "b.2", "id": "x"}]}).encode())
    assert [(event.topics, event.id) for event in events] == [(("pusher.orders.1",), None), (("pusher.b.2",), "x")]
    bad = json.dumps({"batch": [EVENT, EVENT | {"name": ""}]}).encode()
    assert refused(read_batch, APP, bad) == (400, "batch[1]: the name of an event has 1 to 200 characters")
    many = json.dumps({"batch": [EVENT | {"channels": ["a"]}]}).encode()
    assert refused(read_batch, APP, many) == (400, "batch[0]: an event of a batch has one channel")
    long = msgspec.json.encode({"batch": [EVENT] * 1_001})
    assert refused(read_batch, APP, long) == (400, "a batch has at most 1,000 events, this one has 1,001")
    assert read_batch(APP, b'{"batch":[]}') == []
