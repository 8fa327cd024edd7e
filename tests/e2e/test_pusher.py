"""Pusher's protocol on one node: its clients, its backends, and both together."""

import json
import signal
import time

import pusher
import pytest

from stork_node import Publisher
from stork_node.clients.node_asker import NodeAsker
from tests.components.webhook_target import Target
from tests.e2e.operator_port import samples, value
from tests.gateway import ROOT, Deployment, wait_for
from tests.pusher import KEY, PusherBackend, PusherClient, sign

APPS = [
    {"id": "1", "keys": [{"key": KEY, "secret": "app-secret"}], "client_events": "members"},
    {
        "id": "2",
        "keys": [{"key": "strict", "secret": "s2"}],
        "version": "two",
        "allowed_origins": ["https://shop.example"],
    },
    {"id": "3", "keys": [{"key": "off", "secret": "s3"}], "version": "three", "enabled": False},
]
WATCHLIST = "pusher_internal:watchlist_events"
FULL, FULL_SECRET = "full-key", "full-secret"
APP = (
    (ROOT / ".crossbar/app.py").read_text()
    + """

stork.feed("asks", "news")
stork.feed("asks", "orders").verify(is_own_topic)
stork.feed("asks", "private-orders").verify(is_own_topic)
stork.feed("asks", "private-chat")
"""
)
GOOD = {"channel": "a.1", "name": "e", "data": "{}"}


def is_signed(headers, body):
    """As a backend checks it that has Pusher's library for Python: the signature, and the time."""
    library = pusher.Pusher("4", FULL, FULL_SECRET, host="unused.example")
    told = library.validate_webhook(headers["X-Pusher-Key"], headers["X-Pusher-Signature"], body.decode())
    return told is not None and told["events"] == json.loads(body)["events"]


@pytest.fixture(scope="module")
def target():
    with Target(is_signed=is_signed) as target:
        yield target


@pytest.fixture(scope="module")
def deployment(tmp_path_factory, target):
    full = {
        "id": "4",
        "keys": [{"key": FULL, "secret": FULL_SECRET}],
        "version": "full",
        "client_events": "members",
        "subscription_count": True,
        "leave_after_s": 0.2,
        "webhooks": [{"url": target.url}],
    }
    asks = {
        "id": "5",
        "keys": [{"key": "asks-key", "secret": FULL_SECRET}],
        "version": "asks",
        "client_events": "members",
        "verify": "app",
    }
    apps = [*APPS, full, asks]

    def with_apps(config):
        config["workers"][0]["components"][5]["extra"]["apps"] = apps

    folder = tmp_path_factory.mktemp("pusher")
    (folder / "webhooks.json").write_text(json.dumps({"apps": apps}))
    with Deployment(folder, app=APP, change=with_apps) as deployment:
        deployment.start_publish_server("--webhooks", str(folder / "webhooks.json"))
        deployment.start_node()
        yield deployment


@pytest.fixture
def port(deployment):
    return deployment.nodes[0].port


@pytest.fixture
def backend(port):
    with PusherBackend(port) as backend:
        yield backend


def post(port, app, key, secret):
    """The status of an event of this app."""
    with PusherBackend(port, app, key, secret) as backend:
        return backend.post("/events", GOOD)[0]


# -- events ------------------------------------------------------------------------------------------------------------


def test_an_event_reaches_every_subscriber_as_the_same_bytes(port, backend):
    with PusherClient(port) as one, PusherClient(port, query="") as two, PusherClient(port) as other:
        one.join("orders.1", "private-room")
        two.join("orders.1")
        other.join("orders.2")
        data = '{ "a" : "Zoë", "b": [1.50] }'
        backend.trigger("orders.1", "paid", data)
        text = one.next_text()
        assert two.next_text() == text
        event = json.loads(text)
        assert event["data"] == data
        assert (event["event"], event["channel"]) == ("paid", "orders.1")
        assert backend.post("/events", {"channels": ["orders.1", "private-room"], "name": "e", "data": "x"})[0] == 200
        assert [one.next()["channel"], one.next()["channel"]] == ["orders.1", "private-room"]
        assert two.next()["data"] == "x"
        assert other.has_nothing()


def test_a_push_of_another_backend_reaches_a_channel(port, deployment):
    with PusherClient(port) as client, Publisher(deployment.router) as publisher:
        client.join("orders.9", "private-a=b")
        publisher.push(["pusher.orders.9", "pusher.private-~.a~3db"], type="paid", data={"a": 1})
        publisher.push(["pusher.orders.9"], type="pusher:error", data={"code": 4001})
        warning = "no application declares the feed pushre.orders: no client can subscribe to it"
        wait_for(lambda: publisher.push("pushre.orders.9", type="t").warning == warning, "the node has said its feeds")
        assert publisher.push(["pusher.orders.9"], type="n", data=7).warning == ""
        assert [client.next()["channel"], client.next()["channel"]] == ["orders.9", "private-a=b"]
        assert json.loads(client.next_text())["data"] == "7"
        assert client.has_nothing()


def test_a_socket_that_is_named_does_not_get_the_event(port, backend):
    with PusherClient(port) as one, PusherClient(port) as two:
        one.join("a.1")
        two.join("a.1")
        backend.trigger("a.1", "e", socket_id=one.id)
        assert two.next()["event"] == "e"
        assert one.has_nothing()
        backend.trigger("a.1", "e", socket_id="77.1")
        assert one.next()["event"] == two.next()["event"] == "e"


def test_a_client_event_reaches_the_other_members(port):
    with PusherClient(port) as one, PusherClient(port) as two, PusherClient(port) as open_one:
        one.join("private-room.5")
        two.join("private-room.5")
        open_one.join("room.5")
        one.send("client-typing", channel="private-room.5", data={"who": "one"})
        event = json.loads(two.next_text())
        assert (event["event"], event["channel"], event["data"]) == ("client-typing", "private-room.5", {"who": "one"})
        assert one.has_nothing()
        assert one.ask("client-x", channel="room.5", data={})["data"]["code"] == 4301
        assert open_one.ask("client-x", channel="room.5", data={})["data"]["code"] == 4301


def test_a_batch_is_stored_as_a_whole_or_not_at_all(port, backend):
    with PusherClient(port) as client:
        client.join("b.1", "b.2")
        events = [{"channel": f"b.{n}", "name": "e", "data": str(n)} for n in (1, 2, 1)]
        assert (
            backend.post("/batch_events", {"batch": [*events, {"channel": "b 1", "name": "e", "data": ""}]})[0] == 400
        )
        assert backend.post("/batch_events", {"batch": events}) == (200, {})
        assert [client.next()["data"] for _ in events] == [1, 2, 1]
        with_info = [events[0] | {"info": "subscription_count"}, events[1]]
        assert backend.post("/batch_events", {"batch": with_info}) == (200, {"batch": [{"subscription_count": 1}, {}]})


def test_an_event_that_is_sent_again_with_its_id_is_delivered_once(port, backend):
    with PusherClient(port) as client:
        client.join("c.1")
        event = {"channel": "c.1", "name": "e", "data": "1"}
        for _ in range(2):
            assert backend.post("/events", event, Idempotency_Key="order-1") == (200, {})
        assert backend.post("/events", event | {"data": "2"}, Idempotency_Key="order-1")[0] == 400
        assert client.next()["data"] == 1
        assert client.has_nothing()


def test_channels_are_listed(port, backend):
    with PusherClient(port) as client:
        client.join("list.1", "private-list.1", "cache-list.1")
        assert client.next() == {"event": "pusher:cache_miss", "channel": "cache-list.1"}
        found = backend.get("/channels", filter_by_prefix="private-list", info="subscription_count")
        assert found == (200, {"channels": {"private-list.1": {"subscription_count": 1}}})
        assert {"list.1", "private-list.1", "cache-list.1"} <= set(backend.get("/channels")[1]["channels"])
        assert backend.get("/channels/list.1", info="subscription_count") == (
            200,
            {"occupied": True, "subscription_count": 1},
        )
        assert backend.get("/connections")[1]["connections"] >= 1
        with PusherBackend(port, "2", "strict", "s2") as stranger:
            assert stranger.get("/channels") == (200, {"channels": {}})
    wait_for(lambda: backend.get("/channels/list.1") == (200, {"occupied": False}), "the channel without subscribers")
    assert backend.get("/channels", filter_by_prefix="nothing") == (200, {"channels": {}})
    assert backend.get("/channels/a%20b")[0] == 400
    assert backend.get("/channels/a.1/users")[0] == 400


# -- presence channels -------------------------------------------------------------------------------------------------


def test_members_of_a_presence_channel_are_told_of_each_other(port, backend):
    with PusherClient(port) as ann, PusherClient(port) as bob:
        assert ann.join_as("presence-room.1", "ann", name="Ann") == {"ann": {"name": "Ann"}}
        members = bob.join_as("presence-room.1", 7)
        assert members["7"] == {}
        added = ann.next()
        assert (added["event"], added["channel"]) == ("pusher_internal:member_added", "presence-room.1")
        assert added["data"] == {"user_id": "7", "user_info": {}}
        if "ann" not in members:  # who has joined a moment ago is told later
            assert bob.next()["data"] == {"user_id": "ann", "user_info": {"name": "Ann"}}
        assert ann.has_nothing()
        assert bob.has_nothing()
        assert backend.get("/channels/presence-room.1/users") == (200, {"users": [{"id": "ann"}, {"id": "7"}]})
        assert backend.get("/channels", filter_by_prefix="presence-room", info="user_count") == (
            200,
            {"channels": {"presence-room.1": {"user_count": 2}}},
        )
        bob.send("client-typing", channel="presence-room.1", data={"a": [1]})
        event = json.loads(ann.next_text())
        assert (event["event"], event["user_id"], event["data"]) == ("client-typing", "7", {"a": [1]})

        with PusherClient(port) as again:
            assert set(again.join_as("presence-room.1", 7)) == {"ann", "7"}
            bob.send("pusher:unsubscribe", data={"channel": "presence-room.1"})
            assert ann.has_nothing()
        removed = ann.next()
        assert (removed["event"], removed["data"]) == ("pusher_internal:member_removed", {"user_id": "7"})
        assert backend.get("/channels/presence-room.1/users") == (200, {"users": [{"id": "ann"}]})


def test_who_is_no_member_is_told_why(port):
    with PusherClient(port) as client:
        for data, kind, status in (
            (None, "AuthError", 401),
            ({}, "AuthError", 401),
            ({"user_id": ""}, "AuthError", 401),
            ({"user_id": "1", "user_info": "x" * 10_000}, "LimitReached", 4004),
        ):
            told = client.subscribe_as("presence-bad.1", data)["data"]
            assert (told["type"], told["status"]) == (kind, status)
        client.sign_in("ann")
        assert client.subscribe_as("presence-bad.1", None)["data"]["presence"]["ids"] == ["ann"]


# -- commands ----------------------------------------------------------------------------------------------------------


def test_commands_bind_clients_and_their_backend_may_give_one(port, deployment, backend):
    with (
        PusherClient(port) as ann,
        PusherClient(port) as bob,
        PusherClient(port) as cid,
        Publisher(deployment.router) as publisher,
    ):
        for client, user in ((ann, "ann"), (bob, "bob"), (cid, "cid")):
            client.sign_in(user)
            client.join("private-room.9")
        settle(deployment, publisher)
        publisher.command("unsubscribe", authid="ann", feed="pusher.private-room")
        told = ann.next()
        assert (told["event"], told["channel"]) == ("pusher:subscription_error", "private-room.9")
        assert (told["data"]["type"], told["data"]["status"]) == ("Unsubscribed", 403)
        ann.join("private-room.9")

        publisher.command("disconnect", authid="ann", reason="signed out")
        [error], code = ann.end()
        assert (error["data"], code) == ({"code": 4009, "message": "signed out"}, 4009)
        publisher.command("refresh", session=int(bob.id.partition(".")[0]))
        assert bob.end()[1] == 4200
        assert backend.post("/users/cid/terminate_connections", {}) == (200, {})
        assert cid.end()[1] == 4009


def settle(deployment, publisher):
    """Wait until commands bind the clients that are there: the node has said a lease after them."""
    number = int(publisher.push("v1.both.settle", type="t", store=False).partition(":")[2])
    with NodeAsker(deployment.replay, "") as asker:
        wait_for(lambda: (nodes := asker.ask().nodes) and nodes[0].position >= number, "the next lease")


# -- an app with everything --------------------------------------------------------------------------------------------


def full_client(port, key=FULL):
    return PusherClient(port, key, secret=FULL_SECRET)


def test_app_py_decides_about_signed_channels_and_its_feeds(port):
    with full_client(port, "asks-key") as ann:
        ann.sign_in("ann")
        asked = {
            "news.1": True,
            "elsewhere.1": True,
            "orders.ann": False,
            "private-orders.ann": True,
            "private-orders.bob": False,
            "private-chat.1": True,
            "private-elsewhere": False,
        }
        for channel, is_allowed in asked.items():
            ann.ask_to_join(channel)
            told = ann.skip_to("pusher_internal:subscription_succeeded", "pusher:subscription_error")
            assert (told["channel"], told["event"].endswith("succeeded")) == (channel, is_allowed)
            if not is_allowed:
                assert (told["data"]["type"], told["data"]["status"]) == ("AuthError", 401)
        ann.send("client-a", channel="private-chat.1", data={})
        assert ann.skip_to("pusher:error")["data"]["code"] == 4301


def test_subscribers_are_told_how_many_they_are(port):
    with full_client(port) as one:
        one.ask_to_join("news.7")
        count = one.skip_to("pusher_internal:subscription_count")
        assert (count["channel"], count["data"]) == ("news.7", {"subscription_count": 1})
        with full_client(port) as two:
            two.ask_to_join("news.7")
            for client in (one, two):
                assert client.skip_to("pusher_internal:subscription_count")["data"] == {"subscription_count": 2}
        assert one.skip_to("pusher_internal:subscription_count")["data"] == {"subscription_count": 1}


def test_who_watches_is_told_who_comes_and_goes(port):
    def is_told(client, **users):
        # Who has signed in a moment ago may be told as offline first.
        while {each["name"]: each["user_ids"] for each in client.skip_to(WATCHLIST)["data"]["events"]} != users:
            pass

    with full_client(port) as ann:
        ann.sign_in("ann", watchlist=["bob", "carl"])
        is_told(ann, offline=["bob", "carl"])
        with full_client(port) as bob:
            bob.sign_in("bob", watchlist=["ann"])
            is_told(ann, online=["bob"])
            is_told(bob, online=["ann"])
        is_told(ann, offline=["bob"])


def test_a_backend_is_told_in_the_form_of_pusher(port, target):
    def is_told(**event):
        try:
            wait_for(lambda: event in target.events, str(event))
        except AssertionError as error:
            raise AssertionError(f"{error}, but {target.events}") from None

    with full_client(port) as ann, full_client(port) as bob:
        ann.ask_to_join("cache-news")
        for event in ("channel_occupied", "cache_miss"):
            is_told(name=event, channel="cache-news", **({"data": "{}"} if event == "cache_miss" else {}))
        is_told(name="subscription_count", channel="cache-news", subscription_count=1)
        for client, user in ((ann, "ann"), (bob, "bob")):
            client.sign_in(user)
            client.subscribe_as("presence-room", {"user_id": user})
            is_told(name="member_added", channel="presence-room", user_id=user)
        ann.send("client-typing", channel="presence-room", data={"a": 1})
        sender = {"socket_id": ann.id, "user_id": "ann"}
        is_told(name="client_event", channel="presence-room", event="client-typing", data='{"a": 1}', **sender)
    for user in ("ann", "bob"):
        is_told(name="member_removed", channel="presence-room", user_id=user)
    for channel in ("presence-room", "cache-news"):
        is_told(name="channel_vacated", channel=channel)
    names = [each["name"] for each in target.events if each["channel"] == "presence-room"]
    assert sorted(names) == sorted(
        ["channel_occupied", "channel_vacated", "client_event", *2 * ["member_added", "member_removed"]]
    )
    assert set(target.statuses) == {200}
    assert time.time() * 1000 - json.loads(target.bodies[0])["time_ms"] < 600_000


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "query", "code"),
    [
        ("nobody", "", 4001),
        ("", "", 4001),
        ("off", "", 4003),
        (KEY, "?protocol=x", 4006),
        (KEY, "?protocol=4", 4007),
    ],
)
def test_a_client_that_is_not_served_gets_an_error_and_the_same_code(port, key, query, code):
    [error], closed = PusherClient(port, key, query).end()
    assert (error["event"], error["data"]["code"], closed) == ("pusher:error", code, code)


def test_a_page_connects_to_apps_that_allow_its_origin(port):
    for key in (KEY, "strict"):
        with PusherClient(port, key, origin="https://shop.example"):
            pass
    with PusherClient(port, KEY, origin="https://other.example"):
        pass
    [error], closed = PusherClient(port, "strict", origin="https://other.example").end()
    assert (error["data"]["code"], closed) == (4009, 4009)


def test_a_signature_is_for_one_socket_one_channel_and_one_app(port):
    with PusherClient(port) as client, PusherClient(port, "strict") as stranger:
        good = sign(f"{client.id}:private-a")
        for auth in (None, f"{KEY}:{sign('1.1:private-a')}", f"strict:{good}", f"{KEY}:{good}0"):
            answer = client.subscribe("private-a", auth=auth)
            assert (answer["event"], answer["data"]["status"]) == ("pusher:subscription_error", 401)
        assert (
            stranger.subscribe("private-a", auth=f"{KEY}:{sign(f'{stranger.id}:private-a')}")["data"]["status"] == 401
        )
        assert client.subscribe("private-a", auth=f"{KEY}:{good}")["event"].endswith("succeeded")


def test_many_frames_that_cannot_be_read_end_a_connection(port):
    with PusherClient(port) as client:
        for number in range(20):
            client.socket.send("no json" if number % 2 else "[]")
        frames, code = client.end()
        assert [frame["data"]["code"] for frame in frames] == [None] * 19 + [4009]
        assert code == 4009


@pytest.mark.parametrize("message", [b"\x00", "x" * (64 * 1024 + 1), "x" * (1 << 20)], ids=["binary", "64K", "1M"])
def test_binary_and_large_messages_end_a_connection(port, message):
    with PusherClient(port) as client:
        client.socket.send(message)
        [error], code = client.end()
        assert (error["data"]["code"], code) == (4009, 4009)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"data": {"a": 1}}, 400),
        ({"name": "pusher:x"}, 400),
        ({"channels": [f"a.{n}" for n in range(101)]}, 400),
        ({"channels": [f"a.{n}" for n in range(100)]}, 200),
        ({"socket_id": "x"}, 400),
        ({"data": "x" * (1 << 20)}, 413),
        ({"data": "x" * 1_000_000}, 200),
        ({"data": "\0"}, 400),
    ],
)
def test_an_event_has_its_status_and_the_connection_stays(backend, changed, status):
    assert backend.post("/events", GOOD | changed)[0] == status
    assert backend.post("/events", GOOD) == (200, {})


def test_a_request_that_is_not_signed_is_refused_and_the_connection_stays(port, backend):
    body = json.dumps(GOOD).encode()
    old = backend.target("POST", "/events", body, auth_timestamp=str(int(time.time()) - 700))
    wrong = backend.target("POST", "/events", body, body_md5="0" * 32)
    for target in (old, wrong, "/apps/1/events", backend.target("POST", "/events", body) + "&info=a"):
        status, said = backend.send("POST", target, body)
        assert (status, said["code"]) == (401, 401)
        assert said["error"]
    assert post(port, "9", KEY, "app-secret") == 404
    assert post(port, "3", "off", "s3") == 403
    assert post(port, "1", "strict", "s2") == 401
    assert post(port, "2", "strict", "s2") == 200
    assert backend.post("/events", b"no json")[0] == 400
    assert backend.post("/events", GOOD) == (200, {})


def test_a_large_body_without_a_signature_is_not_read(backend):
    status, said = backend.send("POST", "/apps/1/events", b"x" * 100_000)
    assert (status, said["code"]) == (401, 401)


# -- the node ----------------------------------------------------------------------------------------------------------


def test_the_node_tells_its_health_and_counts(deployment, port, backend):
    assert backend.send("GET", "/up") == (200, {"health": "OK"})
    with PusherClient(port) as client:
        client.join("m.1")
        page = samples(deployment.nodes[0])
        assert value(page, "stork_pusher_connections") >= 1
        assert value(page, "stork_pusher_channels") >= 1
        assert value(page, "stork_pusher_opened_total") > 1
        assert value(page, "stork_pusher_closed_total", code="4001") >= 2
        assert value(page, "stork_pusher_requests_total", status="200") > 1


def test_a_reader_that_is_too_slow_is_cut_and_the_others_get_all(port, backend):
    with PusherClient(port) as slow, PusherClient(port) as quick:
        slow.join("big.1")
        quick.join("big.1")
        slow.socket.recv_messages.pause()
        for number in range(24):
            backend.trigger("big.1", f"n{number}", "x" * 900_000)
            assert quick.next()["event"] == f"n{number}"
        backend.trigger("big.1", "last")
        assert quick.next()["event"] == "last"
        slow.socket.recv_messages.resume()
        frames, code = slow.end()
        assert code == 1006
        assert len(frames) < 24


def test_a_node_that_ends_tells_its_clients_to_come_back(deployment, port, backend):
    backend.trigger("private-cache-price.1", "price", '{"euro":7}')
    with PusherClient(port) as client:
        deployment.nodes[0].popen.send_signal(signal.SIGTERM)
        [error], code = client.end()
        assert (error["data"]["code"], code) == (4200, 4200)
    assert deployment.nodes[0].stop() == 0


def test_a_node_that_starts_knows_the_last_event_of_a_cache_channel(deployment):
    with PusherClient(deployment.start_node("second").port) as client:
        client.join("private-cache-price.1")
        assert client.next()["data"] == {"euro": 7}
