"""The test tool for applications: what the node would tell a client, with no router."""

import asyncio
import gc
import threading
import weakref
from http.cookies import SimpleCookie

import pytest

from stork_node import CallError, ClientSession, Deny, InvalidCommand, InvalidPush, Principal, Stork, StorkError
from stork_node.application.running.runtime import HandlerFailed
from stork_node.testing import AppTester, Denied, Expired, RecordedPush, Unavailable

DEADLINE_S = 10


@pytest.fixture
def stork():
    stork = Stork()

    @stork.authenticator
    def check_ticket(request):
        return {
            "alice": Principal("alice", extra={"name": "Alice"}, private={"groups": ("staff",)}),
            "old": Principal("alice", expires_at=1),
            "admin": Principal("root", role="admin"),
            "expired": Deny("expired", retry=True),
            "broken": "yes",
        }.get(request.ticket, Deny("unknown ticket"))

    orders = stork.feed("v1", "orders", patterns=["prefix"])

    @orders.verify(patterns=True)
    async def owns_order(session, topic):
        return topic.feed_id == "42" or Deny(f"{session.authid} does not own {topic.feed_id!r}")

    @stork.rpc("io.example.greet", allow=True)
    async def greet(call):
        await stork.push(["v1.orders.42"], type="greeted", data=(call.args, call.kwargs), id="i", exclude=[7])
        return {"hello": call.session.authid, "args": call.args}

    return stork


@pytest.fixture
def tester(stork):
    with AppTester(stork) as tester:
        yield tester


def test_what_an_application_leaves_to_a_backend_can_be_tried_again():
    with AppTester(Stork()) as tester, pytest.raises(Unavailable, match="declares no authenticator"):
        tester.join(ticket="alice")


def test_the_designs_example_is_one_line(stork):
    AppTester(stork).join(ticket="alice").subscribe("v1.orders.42")


def test_a_client_that_joined_is_the_session_its_handlers_see(tester):
    client = tester.join(ticket="alice", realm="realm2", address="192.0.2.1")
    assert client.session == ClientSession(
        id=1,
        authid="alice",
        realm="realm2",
        extra={"name": "Alice"},
        private={"groups": ["staff"]},
        authmethod="ticket",
        authprovider="dynamic",
        address="192.0.2.1",
    )
    assert tester.join(ticket="alice").session.id == 2


def test_an_authenticator_sees_what_the_client_sends(stork):
    seen = []
    stork = Stork()
    stork.authenticator(lambda request: seen.append(request) or Principal("alice"))
    with AppTester(stork) as tester:
        tester.join("t", authid="al", headers={"Cookie": "sid=1"}, address="::1")
    (request,) = seen
    assert (request.ticket, request.authid, request.realm, request.address) == ("t", "al", "realm1", "::1")
    assert request.cookies == {"sid": "1"}


def test_cookies_are_given_by_name_or_as_those_of_a_test_client(stork):
    seen = []
    stork = Stork()
    stork.authenticator(lambda request: seen.append(request.cookies) or Principal("alice"))
    jar = SimpleCookie({"sessionid": "abc", "theme": "a b"})
    with AppTester(stork) as tester:
        tester.join(cookies={"sid": "1", "b": "x=y"})
        tester.join(cookies=jar, headers={"cookie": "sid=2"})
        tester.join(cookies={})
        for wrong in ({"sid": "1; admin=1"}, {"": "1"}, {"sid": "1\r\nX: y"}):
            with pytest.raises(ValueError, match="that no Cookie header can hold"):
                tester.join(cookies=wrong)
    assert seen == [{"sid": "1", "b": "x=y"}, {"sid": "2", "sessionid": "abc", "theme": "a b"}, {}]


@pytest.mark.parametrize(
    ("ticket", "error", "uri", "reason"),
    [
        ("", Denied, "io.virge.stork.denied", "unknown ticket"),
        ("expired", Expired, "io.virge.stork.expired", "expired"),
        ("old", Expired, "io.virge.stork.expired", None),
        ("admin", Unavailable, "", None),
        ("broken", Unavailable, "", None),
    ],
)
def test_a_client_that_cannot_join_is_told_as_the_node_would(tester, ticket, error, uri, reason):
    with pytest.raises(error) as refused:
        tester.join(ticket=ticket)
    assert type(refused.value) is error
    assert refused.value.uri == uri
    assert refused.value.reason
    assert reason is None or refused.value.reason == reason


def test_an_application_may_give_the_roles_that_the_node_lets_it(stork):
    with AppTester(stork, roles=["frontend", "admin"]) as tester:
        assert tester.join(ticket="admin").session.role == "admin"


def test_a_handler_that_raises_is_the_cause_of_what_the_client_is_told():
    stork, error = Stork(), ConnectionError("no database")

    @stork.authenticator
    def check_ticket(request):
        if request.ticket == "bad":
            raise error
        return Principal("alice")

    def fails(*arguments):
        raise error

    stork.feed("v1", "orders").verify(fails)
    stork.rpc("io.asks", allow=fails)(lambda call: None)
    stork.rpc("io.fails", allow=True)(fails)
    with AppTester(stork) as tester:
        with pytest.raises(Unavailable) as refused:
            tester.join("bad")
        assert (refused.value.uri, refused.value.__cause__) == ("", error)
        client = tester.join("good")
        for ask in (lambda: client.subscribe("v1.orders.42"), lambda: client.call("io.asks")):
            with pytest.raises(Unavailable) as refused:
                ask()
            assert (refused.value.uri, refused.value.__cause__) == ("io.virge.stork.unavailable", error)
        with pytest.raises(CallError) as raised:
            client.call("io.fails")
        assert (raised.value.uri, raised.value.__cause__) == ("io.virge.stork.error.handler_failed", error)
        assert "no database" not in str(raised.value)


def test_a_handler_that_hangs_is_given_up_as_the_node_gives_it_up():
    stork, hold = Stork(), threading.Event()
    stork.authenticator(lambda request: hold.wait(DEADLINE_S) if request.ticket == "slow" else Principal("alice"))

    @stork.feed("v1", "orders").verify
    async def hangs(session, topic):
        await asyncio.Event().wait()

    with AppTester(stork, timeout_s=0.05) as tester:
        with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
            tester.join("slow")
        client = tester.join("fast")
        with pytest.raises(Unavailable, match=r"io\.virge\.stork\.unavailable: no answer within 0\.05 s"):
            client.subscribe("v1.orders.42")
        hold.set()


@pytest.mark.parametrize(
    ("topic", "match", "reason"),
    [
        ("v1.orders.43", "exact", "alice does not own '43'"),
        ("v1.orders.", "prefix", "alice does not own ''"),
        ("v1.orders.", "wildcard", "feed v1.orders has no patterns of match wildcard"),
        ("v1.bills.1", "exact", "feed v1.bills is not declared"),
        ("wamp.session.on_join", "exact", "wamp.session.on_join is not for applications"),
    ],
)
def test_a_subscription_that_is_refused_is_not_authorized(tester, topic, match, reason):
    with pytest.raises(Denied) as refused:
        tester.join("alice").subscribe(topic, match=match)
    assert (refused.value.uri, refused.value.reason) == ("wamp.error.not_authorized", reason)


def test_the_nodes_own_topic_is_open_to_all(tester):
    tester.join("alice").subscribe("io.virge.stork.beat")


def test_a_procedure_answers_as_over_the_wire(tester):
    client = tester.join("alice")
    assert client.call("io.example.greet", (1, 2), a=3) == {"hello": "alice", "args": [[1, 2]]}
    with pytest.raises(TypeError, match="args\\[0\\] is of type object, which JSON does not have"):
        client.call("io.example.greet", object())


@pytest.mark.parametrize("uri", ["io.example.none", "wamp.session.kill", "io.virge.stork.auth"])
def test_a_browser_may_call_nothing_that_is_not_open_to_it(tester, uri):
    with pytest.raises(Denied) as refused:
        tester.join("alice").call(uri)
    assert refused.value.uri == "wamp.error.not_authorized"


def test_a_procedure_that_is_not_for_browsers_can_be_called_by_a_backend(stork, tester):
    stork.rpc("io.example.internal")(lambda call: call.session.role)
    with pytest.raises(Denied):
        tester.join("alice").call("io.example.internal")
    assert tester.backend().call("io.example.internal") == "backend"
    with pytest.raises(CallError) as raised:
        tester.backend().call("io.example.none")
    assert raised.value.uri == "wamp.error.no_such_procedure"


def test_pushes_of_handlers_are_kept_as_subscribers_get_them(tester):
    tester.join("alice").call("io.example.greet", 1, b=2)
    assert tester.pushes == [RecordedPush(("v1.orders.42",), "greeted", [[1], {"b": 2}], "i", (7,), True)]


def test_commands_of_handlers_are_kept(stork, tester):
    @stork.rpc("io.example.out", allow=True)
    async def out(call):
        await stork.unsubscribe(feed="v1.orders", authid=call.args[0])
        return (await stork.disconnect(authid=call.args[0], reason="out")).complete

    assert tester.join("alice").call("io.example.out", "7") is True
    assert [(command.kind, command.authid, command.reason) for command in tester.commands] == [
        ("unsubscribe", "7", ""),
        ("disconnect", "7", "out"),
    ]
    with pytest.raises(InvalidCommand, match="authid: missing"):
        stork.publisher.command("disconnect")


def test_plain_handlers_push_by_the_publisher(stork, tester):
    @stork.rpc("io.example.plain", allow=True)
    def plain(call):
        return stork.publisher.push(["v1.orders.42"], type="typing", store=False)

    assert tester.join("alice").call("io.example.plain") == "test:1"
    assert tester.pushes == [RecordedPush(("v1.orders.42",), "typing", None, None, (), False)]


def test_a_push_that_the_publish_server_would_refuse_is_refused(stork, tester):
    with pytest.raises(InvalidPush) as refused:
        stork.publisher.push(["v1.orders"], type="paid")
    assert refused.value.reason.startswith("topics[0]")
    with pytest.raises(InvalidPush):
        stork.publisher.push_many([{"topics": "v1.orders.42", "type": "paid"}, {"topics": "v1.orders.42", "type": ""}])
    assert tester.pushes == []


def test_pushes_are_numbered_and_a_known_id_is_not_kept_again(stork, tester):
    push = {"topics": "v1.orders.42", "type": "paid", "id": "i"}
    assert stork.publisher.position() == "test:0"
    assert stork.publisher.push_many([push, {**push, "id": "j"}, push]) == ["test:1", "test:2", "test:1"]
    assert [push.id for push in tester.pushes] == ["i", "j"]

    @stork.rpc("io.example.many", allow=True)
    async def many(call):
        return [*await stork.async_publisher.push_many([push]), await stork.async_publisher.position()]

    assert tester.join("alice").call("io.example.many") == ["test:1", "test:2"]


def test_joins_and_leaves_are_told_and_backends_are_not(stork, tester):
    told = []
    stork.on_join(lambda session: told.append(("join", session)))
    stork.on_leave(lambda session: told.append(("leave", session)))
    client, backend = tester.join("alice"), tester.backend()
    client.leave()
    backend.leave()
    assert told == [("join", client.session), ("leave", client.session)]
    for ask in (lambda: client.subscribe("v1.orders.42"), lambda: client.call("io.x"), client.leave):
        with pytest.raises(StorkError, match="<Client alice, session 1> has left"):
            ask()


def test_failures_that_no_client_is_told_of_are_kept(stork, tester):
    @stork.on_join
    def fails(session):
        raise KeyError("x")

    tester.join("alice").subscribe("v1.orders.42")
    assert [failure.kind for failure in tester.failures] == ["on_join handler"]


def test_start_and_stop_handlers_run_around_the_with_block():
    stork, events = Stork(), []
    stork.on_start(lambda: events.append("start"))
    stork.on_stop(lambda: events.append("stop"))
    with AppTester(stork):
        assert events == ["start"]
    assert events == ["start", "stop"]


def test_start_handlers_run_before_the_first_client_without_a_with_block():
    stork, events = Stork(), []
    stork.authenticator(lambda request: Principal("alice"))

    @stork.on_start
    async def start():
        events.append("start")

    tester = AppTester(stork)
    assert events == []
    tester.join()
    tester.join()
    assert events == ["start"]


def test_a_start_handler_that_fails_is_raised():
    stork = Stork()

    @stork.on_start
    def fails():
        raise ConnectionError("no database")

    with pytest.raises(HandlerFailed, match="no database"), AppTester(stork):
        pytest.fail("has started")


def test_a_tester_that_is_forgotten_ends_its_thread(stork):
    before = set(threading.enumerate())
    tester = AppTester(stork)
    tester.join("alice")
    threads = set(threading.enumerate()) - before
    assert "stork-loop" in {thread.name for thread in threads}
    forgotten = weakref.ref(tester)
    del tester
    gc.collect()
    assert forgotten() is None
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_the_application_of_the_design_runs():
    stork, told = Stork(), []

    @stork.authenticator
    def check_ticket(request):
        user = {"t": 7}.get(request.ticket)
        return Principal(authid=str(user), private={"groups": ["a"]}) if user else Deny("unknown ticket")

    orders = stork.feed("v1", "orders")

    @orders.verify(cache_s=60)
    async def owns_order(session, topic):
        await asyncio.sleep(0)
        return topic.feed_id == "42" and session.authid == "7"

    @stork.rpc("io.example.greet", invoke="roundrobin", allow=True)
    async def greet(call):
        await stork.push(["v1.orders.42"], type="greeted", data=call.session.authid)
        return {"hello": call.session.authid}

    @stork.on_join
    def joined(session):
        told.append(("join", session.authid))

    @stork.on_leave
    def left(session):
        told.append(("leave", session.authid, session.private))

    @stork.on_start
    async def start():
        told.append("start")

    with AppTester(stork) as tester:
        client = tester.join(ticket="t")
        client.subscribe("v1.orders.42")
        assert client.call("io.example.greet") == {"hello": "7"}
        client.leave()
    assert tester.pushes == [RecordedPush(("v1.orders.42",), "greeted", "7")]
    assert told == ["start", ("join", "7"), ("leave", "7", {"groups": ["a"]})]


GRANTED = {"v1.orders.42": "exact", "v1.news.1": "exact", "v1.news.": "prefix", "v1.any.1": "exact"}
NOT_GRANTED = {
    "v1.orders.43": "exact",
    "v1.any.": "prefix",
    "v1.news.": "wildcard",
    "v1.orders.42": "prefix",
    "io.virge.x": "exact",
    "v1.": "prefix",
}


def test_a_ticket_permits_its_topics_and_patterns_where_a_feed_has_them():
    stork, topics = Stork(), ["v1.orders.42", "v1.news.*", "v1.any.*", "io.virge.*"]
    stork.authenticator(lambda request: Principal("ann", topics=topics))
    stork.feed("v1", "news", patterns=["prefix"]).verify(lambda session, topic: False, patterns=True)
    with AppTester(stork) as tester:
        ann = tester.join()
        for topic, match in GRANTED.items():
            ann.subscribe(topic, match)
        for topic, match in NOT_GRANTED.items():
            with pytest.raises(Denied):
                ann.subscribe(topic, match)


@pytest.fixture
def chat():
    stork = Stork()
    stork.heard = []
    room = stork.feed("v1", "room", presence=True)
    mine = stork.feed("v1", "mine", presence=True)
    stork.feed("v1", "plain")

    @stork.authenticator
    def check_ticket(request):
        return Principal(request.ticket, presence={"name": request.ticket.title()})

    @mine.verify
    def is_own(session, topic):
        return session.authid == topic.feed_id

    @mine.verify_presence
    def is_boss(session, topic):
        return session.authid == "boss" or Deny("not the boss")

    @room.verify_presence(cache_s=1)
    def nobody(session, topic):
        return False

    @stork.on_online
    def came(user, topic):
        stork.heard.append(("online", user, topic))

    @stork.on_offline
    async def went(user, topic):
        if user == "bad":
            raise ValueError("went wrong")
        stork.heard.append(("offline", user, topic))

    return stork


def test_who_is_online_and_what_handlers_are_told(chat):
    with AppTester(chat) as tester:
        ann, tab, bob = tester.join("ann"), tester.join("ann"), tester.join("bob")
        for client in (ann, tab, bob):
            client.subscribe("v1.room.1")
            client.subscribe("v1.plain.1")
        assert bob.online("v1.room.1") == {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}}
        bob.unsubscribe("v1.room.1")
        ann.subscribe("v1.mine.ann")
        ann.leave()
        assert tester.online("v1.room.1") == {"ann": {"name": "Ann"}}
        tab.leave()
        assert tester.online("v1.room.1") == tester.online("v1.room.2") == {}
    assert chat.heard == [
        ("online", "ann", None),
        ("online", "ann", "v1.room.1"),
        ("online", "bob", None),
        ("online", "bob", "v1.room.1"),
        ("offline", "bob", "v1.room.1"),
        ("offline", "bob", None),
        ("online", "ann", "v1.mine.ann"),
        ("offline", "ann", "v1.mine.ann"),
        ("offline", "ann", "v1.room.1"),
        ("offline", "ann", None),
    ]


def test_who_may_see_who_is_online(chat):
    with AppTester(chat) as tester:
        boss, ann, bob = tester.join("boss"), tester.join("ann"), tester.join("bob")
        ann.subscribe("v1.mine.ann")
        assert list(boss.online("v1.mine.ann")) == list(ann.online("v1.mine.ann")) == ["ann"]
        boss.subscribe("io.virge.stork.presence.v1.mine.ann")
        with pytest.raises(Denied):
            boss.subscribe("v1.mine.ann")
        for look in (bob.online, lambda topic: bob.subscribe(f"io.virge.stork.presence.{topic}")):
            with pytest.raises(Denied, match="not the boss"):
                look("v1.mine.ann")
            with pytest.raises(Denied, match=r"the feed of v1\.plain\.1 has no presence"):
                look("v1.plain.1")
        assert tester.backend().online("v1.mine.ann") == {"ann": {"name": "Ann"}}


def test_a_handler_of_presence_that_raises_is_a_failure(chat):
    with AppTester(chat) as tester:
        bad = tester.join("bad")
        bad.subscribe("v1.room.1")
        bad.leave()
        assert [str(failure.cause) for failure in tester.failures] == ["went wrong"]


def test_a_verifier_of_presence_wants_a_feed_with_presence():
    stork = Stork()
    stork.feed("v1", "plain").verify_presence("named")
    [no_presence, unknown] = stork.problems()
    assert "the feed v1.plain has a verifier of presence, and no presence (want presence=True)" in no_presence.text
    assert "asks the verifier 'named', which is not declared" in unknown.text
