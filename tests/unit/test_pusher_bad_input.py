"""Bad input of Pusher clients and backends, in one table for each group: each has its answer, and all else goes on."""

import hashlib
import json

import pytest

from stork_node.pusher.app_settings import apps
from stork_node.pusher.apps import App, Apps
from stork_node.pusher.errors import HttpRefusal
from stork_node.pusher.http.events import read_batch, read_event
from stork_node.pusher.http.requests import read_request
from stork_node.pusher.opening import NotOpened, choose_app
from stork_node.pusher.signatures import channel_text, request_text, sign, user_text
from tests.unit.test_pusher_connection import SECRET, SOCKET, Client

APP = App("1", {"key": SECRET}, client_events=True)
KINDS = (
    "",
    "private-",
    "presence-",
    "private-encrypted-",
    "cache-",
    "private-cache-",
    "private-encrypted-cache-",
    "presence-cache-",
)


@pytest.fixture
def client():
    client = Client(APP)
    client.joins("private-mine")
    client.sent.clear()
    return client


def goes_on(client):
    """The connection stays, with what it had, and takes more."""
    assert (client.closed, client.topics) == (None, ["pusher.private-~.mine"])
    [answer] = client.subscribes("public")
    assert answer["event"] == "pusher_internal:subscription_succeeded"
    return True


def auth(text, key="key", secret=SECRET):
    return f"{key}:{sign(secret, text)}"


def refusal(answers):
    [answer] = answers
    assert answer["event"] == "pusher:subscription_error", answer
    told = json.loads(answer["data"])
    assert told["error"]
    return answer["channel"], told["type"], told["status"]


# -- the opening, and signatures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/app/unknown", 4001),
        ("/app/", 4001),
        ("/app/off", 4003),
        ("/app/key?protocol=seven", 4006),
        ("/app/key?protocol=4", 4007),
        ("/app/key?protocol=8", 4007),
    ],
)
def test_a_client_of_no_app_gets_a_final_code(target, code):
    keys = [{"id": name, "keys": [{"key": name, "secret": "s"}], "version": name} for name in ("key", "off")]
    found = Apps(apps([keys[0], keys[1] | {"enabled": False}]))
    refused = choose_app(found, target)
    assert isinstance(refused, NotOpened)
    assert (refused.code, bool(refused.reason)) == (code, True)


CHANNEL = "private-room"
GOOD = channel_text(SOCKET, CHANNEL)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "key",
        "key:",
        ":",
        f"key:{sign(SECRET, GOOD)}0",
        f"key:{sign(SECRET, GOOD).upper()}",
        f" key:{sign(SECRET, GOOD)}",
        sign(SECRET, GOOD),
        auth(GOOD, secret="another secret"),
        auth(GOOD, key="another key"),
        auth(channel_text("1234.5679", CHANNEL)),
        auth(channel_text(SOCKET, "private-other")),
        auth(channel_text(SOCKET, CHANNEL, "{}")),
        auth(user_text(SOCKET, "{}")),
        "key:" + "é" * 64,
    ],
)
def test_a_signature_that_is_none_is_401(client, given):
    assert refusal(client.subscribes(CHANNEL, **({} if given is None else {"auth": given}))) == (
        CHANNEL,
        "AuthError",
        401,
    )
    assert goes_on(client)


@pytest.mark.parametrize("given", [1, True, [], {}])
def test_a_signature_that_is_no_text_is_a_bad_frame(client, given):
    [answer] = client.subscribes(CHANNEL, auth=given)
    assert (answer["event"], answer["data"]["code"]) == ("pusher:error", None)
    assert goes_on(client)


@pytest.mark.parametrize("told", ['{"id":"a"}', '{"id":""}', '{"id":7}', "{}", "[]", "no JSON", '{"id":"' + "a" * 129])
def test_a_sign_in_that_is_none_is_final(client, told):
    good = auth(user_text(SOCKET, told))
    client.says("pusher:signin", auth="x", user_data=told)
    is_good_data = told == '{"id":"a"}'
    client.says("pusher:signin", data={"auth": "key:0" if is_good_data else good, "user_data": told})
    assert client.closed == 4009


# -- names of channels, presence, twice and never ----------------------------------------------------------------------


@pytest.mark.parametrize("prefix", KINDS)
@pytest.mark.parametrize("rest", ["a" * 201, "a b", "a\tb", "a:b", "a/b", "a#b", "ä", "a\n", "a~b"])
def test_a_name_that_is_none_is_400_whatever_its_kind(client, prefix, rest):
    name = prefix + rest
    data = '{"user_id":"1"}'
    signed = auth(channel_text(SOCKET, name, data if prefix.startswith("presence-") else None))
    kind, status = ("LimitReached", 4004) if len(name) > 200 else ("InvalidChannel", 400)
    assert refusal(client.subscribes(name, auth=signed, channel_data=data)) == (name, kind, status)
    assert goes_on(client)


def test_an_empty_name_is_400(client):
    assert refusal(client.subscribes("")) == ("", "InvalidChannel", 400)
    assert goes_on(client)


@pytest.mark.parametrize("prefix", KINDS)
def test_a_name_may_be_a_prefix_alone(client, prefix):
    if not prefix:
        return
    data = '{"user_id":"1"}' if prefix.startswith("presence-") else None
    [*_, answer] = client.subscribes(prefix, auth=auth(channel_text(SOCKET, prefix, data)), channel_data=data)
    assert answer["event"] == "pusher_internal:subscription_succeeded"


@pytest.mark.parametrize("name", ["#server-to-user-", "#server-to-user-ann", "#server-to-user-" + "a" * 129, "#other"])
def test_the_channel_of_a_user_is_for_that_user_alone(client, name):
    user = name.removeprefix("#server-to-user-")
    kind, status = ("AuthError", 401) if user == "ann" else ("InvalidChannel", 400)
    assert refusal(client.subscribes(name)) == (name, kind, status)
    assert goes_on(client)


def test_a_channel_is_subscribed_twice(client):
    for _ in range(2):
        [answer] = client.subscribes("private-mine", auth=auth(channel_text(SOCKET, "private-mine")))
        assert answer["event"] == "pusher_internal:subscription_succeeded"
    assert goes_on(client)


@pytest.mark.parametrize("name", ["", "a b", "private-other", "presence-other", "x" * 300])
def test_unsubscribing_what_is_not_there_does_nothing(client, name):
    assert client.says("pusher:unsubscribe", data={"channel": name}) == []
    assert goes_on(client)


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (None, "AuthError", 401),
        ("", "AuthError", 401),
        ("no JSON", "AuthError", 401),
        ("[]", "AuthError", 401),
        ("{}", "AuthError", 401),
        ('{"user_info":{}}', "AuthError", 401),
        ('{"user_id":null}', "AuthError", 401),
        ('{"user_id":""}', "AuthError", 401),
        ('{"user_id":1.5}', "AuthError", 401),
        ('{"user_id":["1"]}', "AuthError", 401),
        (json.dumps({"user_id": "a" * 129}), "AuthError", 401),
        (json.dumps({"user_id": "1", "user_info": "a" * 10_240}), "LimitReached", 4004),
        (json.dumps({"user_id": "a" * 10_240}), "AuthError", 401),
    ],
)
def test_a_member_that_is_none_is_refused(client, data, kind, status):
    more = {} if data is None else {"channel_data": data}
    answers = client.subscribes("presence-a", auth=auth(channel_text(SOCKET, "presence-a", data)), **more)
    assert refusal(answers) == ("presence-a", kind, status)
    assert client.rooms == {}
    assert goes_on(client)


# -- client events and frames ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "channel", "data"),
    [
        ("client-a", "public-one", {}),
        ("client-a", "private-other", {}),
        ("client-a", "presence-other", {}),
        ("client-a", "no such name", {}),
        ("client-a", "private-mine", "a" * 10_240),
        ("client-a", "private-mine", ["a" * 5_120, "b" * 5_120]),
    ],
)
def test_a_client_event_that_is_refused_is_4301(client, event, channel, data):
    client.subscribes("public-one")
    [answer] = client.says(event, channel=channel, data=data)
    assert (answer["event"], answer["data"]["code"], client.pushed) == ("pusher:error", 4301, [])
    assert client.closed is None


def test_client_events_above_the_rate_are_4301(client):
    answers = [client.says("client-a", channel="private-mine", data={}) for _ in range(15)]
    assert [len(each) for each in answers] == [0] * 10 + [1] * 5
    assert {each[0]["data"]["code"] for each in answers[10:]} == {4301}
    client.now += 1.0
    assert client.says("client-a", channel="private-mine", data={}) == []
    assert goes_on(client)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no JSON",
        b"{",
        b'"text"',
        b"7",
        b"null",
        b"[]",
        b"{}",
        b'{"event":null}',
        b'{"event":7}',
        b'{"event":""}',
        b'{"event":"other"}',
        b'{"data":{}}',
        b'{"event":"pusher:subscribe"}',
        b'{"event":"pusher:subscribe","data":"no JSON"}',
        b'{"event":"pusher:subscribe","data":{"channel":7}}',
        b'{"event":"pusher:unsubscribe","data":{}}',
        b'{"event":"client-a","data":{}}',
        b'{"event":"client-' + b"a" * 200 + b'","channel":"private-mine"}',
        b'{"event":"\xff"}',
        b'{"event":"\\ud800"}',
        b"[" * 5_000,
    ],
)
def test_a_frame_that_is_none_is_told_with_code_null(client, text):
    [answer] = client.says_text(text)
    assert (answer["event"], answer["data"]["code"], bool(answer["data"]["message"])) == ("pusher:error", None, True)
    assert goes_on(client)


@pytest.mark.parametrize("take", ["receive_binary", "receive_too_much"])
def test_binary_and_too_much_are_final(client, take):
    getattr(client.connection, take)()
    assert client.closed == 4009


# -- HTTP --------------------------------------------------------------------------------------------------------------


NOW = 1_700_000_000
APPS = Apps([APP, App("off", {"key-off": SECRET}, "off", is_enabled=False)])
EVENT = {"name": "e", "channel": "a", "data": "x"}


def post(value, *, path="/apps/1/events", query="", order=sorted, **changed):
    """A signed request; ``query`` is added as it is."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    parameters = {
        "auth_key": "key",
        "auth_timestamp": str(NOW),
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body).hexdigest(),
        **changed,
    }
    parameters = {name: text for name, text in parameters.items() if text is not None}
    signature = sign(SECRET, request_text("POST", path, parameters))
    pairs = order([*parameters.items(), ("auth_signature", signature)])
    target = path + "?" + "&".join(f"{name}={text}" for name, text in pairs) + query
    request = read_request(APPS, "POST", target, NOW)
    request.check_body(body)
    return (read_batch if path.endswith("batch_events") else read_event)(
        request.app, body, *([] if path.endswith("batch_events") else [None])
    )


def status(*args, **more):
    with pytest.raises(HttpRefusal) as caught:
        post(*args, **more)
    assert caught.value.reason
    return caught.value.status


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"auth_timestamp": str(NOW - 601)}, 401),
        ({"auth_timestamp": str(NOW + 601)}, 401),
        ({"auth_timestamp": "yesterday"}, 401),
        ({"auth_timestamp": None}, 401),
        ({"auth_key": "unknown"}, 401),
        ({"auth_version": "2.0"}, 401),
        ({"body_md5": "0" * 32}, 401),
        ({"body_md5": None}, 401),
        ({"query": "&auth_key=key"}, 401),
        ({"query": "&AUTH_KEY=key"}, 401),
        ({"query": "&more=1"}, 401),
        ({"path": "/apps/2/events"}, 404),
        ({"path": "/apps/1/elsewhere"}, 404),
        ({"path": "/apps/off/events", "auth_key": "key-off"}, 403),
    ],
)
def test_a_request_that_is_not_signed_so_has_its_status(more, code):
    assert status(EVENT, **more) == code


@pytest.mark.parametrize("order", [sorted, reversed, lambda pairs: pairs[3:] + pairs[:3]])
def test_parameters_come_in_any_order(order):
    assert post(EVENT, order=lambda pairs: list(order(pairs))).name == "e"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"no JSON", 400),
        (b"[]", 400),
        (b"7", 400),
        (b'{"name":"\xff"}', 400),
        (b"[" * 10_000, 400),
        ({}, 400),
        ({"name": "e", "channel": "a"}, 400),
        (EVENT | {"data": {"a": 1}}, 400),
        (EVENT | {"data": 7}, 400),
        (EVENT | {"data": None}, 400),
        (EVENT | {"name": ""}, 400),
        (EVENT | {"name": "n" * 201}, 400),
        (EVENT | {"name": "pusher:x"}, 400),
        (EVENT | {"name": "pusher_internal:x"}, 400),
        (EVENT | {"channel": "a b"}, 400),
        (EVENT | {"channel": "a" * 201}, 400),
        (EVENT | {"channel": ""}, 400),
        (EVENT | {"channel": None}, 400),
        (EVENT | {"channels": []}, 400),
        (EVENT | {"channels": [f"a{number}" for number in range(101)]}, 400),
        (EVENT | {"socket_id": "1234"}, 400),
        (EVENT | {"socket_id": "1.2:private-a"}, 400),
        (EVENT | {"data": "a" * (1 << 20) + "b"}, 413),
    ],
)
def test_a_body_that_is_no_event_has_its_status(body, code):
    given = dict(body) if isinstance(body, dict) else body
    assert status(given) == code
    if isinstance(body, dict) and "channels" not in body:
        assert status({"batch": [EVENT, given]}, path="/apps/1/batch_events") == code


def test_a_batch_of_too_many_is_400():
    assert status({"batch": [EVENT] * 1_001}, path="/apps/1/batch_events") == 400
    assert status(b"[]", path="/apps/1/batch_events") == 400


def test_null_and_unknown_keys_are_ignored():
    assert post(EVENT | {"socket_id": None, "info": None, "id": None, "more": [1]}).name == "e"
