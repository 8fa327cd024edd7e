import json

import pytest

from stork_node.errors import UnwritableEvent
from stork_node.pusher import server_frames
from stork_node.pusher.data import by_member, to_client, to_push


def event(type, data, channel="a.1"):
    body = server_frames.event_body(
        b'{"type":%b,"data":%b,"timestamp":"2026-01-31T12:00:00.000Z"}' % (json.dumps(type).encode(), data), "e:7"
    )
    return json.loads(server_frames.event(channel, body))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"a": 1}', '{"a": 1}'),
        (b"[1,2]", "[1,2]"),
        (b'"text"', "text"),
        (b'"{\\"a\\":1}"', '{"a":1}'),
        (b"7", "7"),
        (b"null", "null"),
        (b"true", "true"),
        (b'{"name":"Zo\xc3\xab"}', '{"name":"Zoë"}'),
    ],
)
def test_data_is_a_string(data, told):
    assert event("paid", data) == {"event": "paid", "channel": "a.1", "data": told, "position": "e:7"}


@pytest.mark.parametrize("data", ['{"a" : 1}', "[]", "plain", "", "7", '"q"', '{"a":1}\n', "Zoë 🦢", "{no json}"])
@pytest.mark.parametrize("name", ["paid", "client-x"])
def test_what_a_backend_sends_is_what_a_client_gets(name, data):
    assert json.loads(to_client(name, to_push(name, data))) == data


def test_the_data_of_a_client_event_passes_unchanged():
    assert event("client-x", b'{"a":1}')["data"] == {"a": 1}
    assert event("client-x", b'"{}"')["data"] == "{}"


@pytest.mark.parametrize("name", ["pusher:error", "pusher_internal:subscription_succeeded"])
def test_a_push_with_a_name_of_the_protocol_has_no_frame(name):
    assert server_frames.event_body(b'{"type":"%b","data":null}' % name.encode(), "e:7") == b""


@pytest.mark.parametrize("bytes", [b"", b"{}", b"[1]", b'{"type":"a","data":"\xff"}'])
def test_an_event_that_is_none_cannot_be_written(bytes):
    with pytest.raises(UnwritableEvent):
        server_frames.event_body(bytes, "e:7")


def test_the_frames_of_the_protocol():
    established = json.loads(server_frames.connection_established("1.2", 30))
    assert established["event"] == "pusher:connection_established"
    assert json.loads(established["data"]) == {"socket_id": "1.2", "activity_timeout": 30}
    assert json.loads(server_frames.error(4001, "no app")) == {
        "event": "pusher:error",
        "data": {"code": 4001, "message": "no app"},
    }
    refused = json.loads(server_frames.subscription_error("a", "AuthError", "no", 401))
    assert (refused["event"], refused["channel"]) == ("pusher:subscription_error", "a")
    assert json.loads(refused["data"]) == {"type": "AuthError", "error": "no", "status": 401}


def test_a_client_event_of_a_member_names_its_user():
    data = by_member("Zoë", b'{"a": 1}')
    body = server_frames.event_body(b'{"type":"client-x","data":%b,"timestamp":""}' % data, "e:1")
    assert server_frames.event("presence-a", body) == (
        '{"channel":"presence-a","event":"client-x","data":{"a": 1},"user_id":"Zoë","position":"e:1"}'.encode()
    )
    for other in (b'{"type":"client-x","data":{"user_id":1}}', b'{"type":"x","data":%b}' % data):
        assert b',"user_id":' not in server_frames.event_body(other, "e:1")
    with pytest.raises(UnwritableEvent):
        server_frames.event_body(b'{"type":"client-x","data":{"pusher:user_id":7}}', "e:1")
