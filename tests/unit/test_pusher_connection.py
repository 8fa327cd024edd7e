"""One client's connection, without a socket: what it sends, and what it gets."""

import json

import pytest

from stork_node.guard.feed_rules import FeedRules
from stork_node.pusher.apps import App
from stork_node.pusher.connection import MOST_BAD_FRAMES, Connection
from stork_node.pusher.errors import RoomFull
from stork_node.pusher.members import Member
from stork_node.pusher.server_frames import subscription_succeeded
from stork_node.pusher.settings import PusherLimits
from stork_node.pusher.signatures import channel_text, sign, user_text

SOCKET = "1234.5678"
SECRET = "secret"
LIMITS = PusherLimits(subscriptions=5, subscriptions_per_address=100, client_events_per_second=10)


class Client:
    """The shell and the client at once: sends frames, and notes what happens."""

    def __init__(self, app=None):
        self.sent, self.pushed, self.topics, self.lasts, self.limits, self.closed = [], [], [], [], [], None
        self.users, self.ended_users, self.rooms, self.left = [], set(), {}, []
        self.refusals = []
        self.is_full = self.is_blind = False
        self.signed, self.asked, self.held, self.feeds = [], [], [], FeedRules()
        self.others = 0
        self.now = 0.0
        app = app or App("1", {"key": SECRET}, client_events=True)
        self.connection = Connection(app, SOCKET, self, LIMITS)

    # -- the outlet

    def send(self, frame):
        assert self.closed is None
        self.sent.append(json.loads(frame))

    def subscribe(self, channel, topic):
        assert topic not in self.topics
        self.topics.append(topic)

    def unsubscribe(self, channel, topic):
        self.topics.remove(topic)

    def join(self, channel, topic, member):
        if self.is_full:
            raise RoomFull("full")
        if not self.is_blind:
            self.rooms[topic] = member
        return not self.is_blind

    def leave(self, channel, topic, member, *, has_left):
        assert self.rooms.pop(topic) == member
        self.left.append((topic, member.user_id, has_left))

    def succeed(self, channel, topic):
        member = self.connection.members.get(channel.name)
        told = {} if member is None else {"presence": [member.user_id]}
        self.send(subscription_succeeded(channel.name, **told))

    def channels_of_address(self):
        return self.others + len(self.topics)

    def identify(self, user_id):
        if user_id in self.ended_users:
            self.close(4200, "")
            return False
        self.users.append(user_id)
        return True

    def forget(self, user_id):
        self.users.remove(user_id)

    def signed_in(self, user):
        self.signed.append(user)

    def signed_out(self, user, *, has_left):
        self.signed.remove(user)

    def may_all_read(self, topic):
        return self.feeds.is_open(topic)

    def has_feed(self, topic):
        return self.feeds.is_declared(topic)

    def ask(self, topic, user_id, answered):
        self.asked.append((topic, user_id, answered))

    def hold(self, reason):
        self.held.append(reason)

    def denied(self, channel, by, reason):
        self.refusals.append((channel, by))

    def refused(self, user_id, reason):
        self.refusals.append((user_id, reason))

    def send_last(self, channel, topic):
        self.lasts.append(topic)

    def push(self, event, topic):
        self.pushed.append((event.event, event.data, topic))

    def reached(self, limit, number):
        self.limits.append((limit, number))

    def close(self, code, reason):
        assert self.closed is None
        self.closed = code

    # -- the client

    def says(self, event, **members):
        return self.says_text(json.dumps({"event": event, **members}).encode())

    def says_text(self, text):
        before = len(self.sent)
        self.connection.receive(text, self.now)
        return self.sent[before:]

    def subscribes(self, channel, **data):
        return self.says("pusher:subscribe", data={"channel": channel, **data})

    def joins(self, channel):
        [answer] = self.subscribes(channel, auth=signed(channel))
        assert answer["event"] == "pusher_internal:subscription_succeeded"


def signed(channel, data=None, socket=SOCKET, secret=SECRET):
    return f"key:{sign(secret, channel_text(socket, channel, data))}"


@pytest.fixture
def client():
    return Client()


def error_of(answers):
    [answer] = answers
    assert answer["event"] == "pusher:subscription_error"
    told = json.loads(answer["data"])
    assert told["error"]
    return answer["channel"], told["type"], told["status"]


def test_more_channels_than_the_limit_are_refused_and_reported(client):
    for number in range(5):
        client.subscribes(f"orders.{number}")
    assert error_of(client.subscribes("orders.5")) == ("orders.5", "LimitReached", 4004)
    assert (client.limits, len(client.topics)) == ([("subscriptions", 5)], 5)


def test_all_connections_of_an_address_share_a_limit_of_channels(client):
    client.others = 98
    for number in range(2):
        assert client.subscribes(f"orders.{number}")[0]["event"] == "pusher_internal:subscription_succeeded"
    assert error_of(client.subscribes("orders.2")) == ("orders.2", "LimitReached", 4004)
    assert client.subscribes("orders.1")[0]["event"] == "pusher_internal:subscription_succeeded"
    assert client.limits == [("subscriptions_per_address", 100)]
    client.says("pusher:unsubscribe", data={"channel": "orders.1"})
    assert client.subscribes("orders.2")[0]["event"] == "pusher_internal:subscription_succeeded"


def test_a_connection_that_closes_forgets_each_user(client):
    for number, user in enumerate(["bob", "bob", "carl"]):
        joins_presence(client, f"presence-{number}", user)
    client.subscribes("orders.1")
    client.connection.leave()
    assert (client.topics, client.users, client.connection.channels, client.connection.members) == ([], [], {}, {})
    assert [left[1:] for left in client.left] == [("bob", False), ("bob", False), ("carl", False)]
    assert Connection(client.connection.app, SOCKET, client, LIMITS).members == {}


def test_a_public_channel_is_open_to_all(client):
    assert client.subscribes("orders.42") == [
        {"event": "pusher_internal:subscription_succeeded", "channel": "orders.42", "data": "{}"}
    ]
    assert client.topics == ["pusher.orders.42"]


@pytest.mark.parametrize(
    "channel", ["private-a", "private-cache-a", "private-encrypted-a", "private-encrypted-cache-a"]
)
def test_a_private_channel_needs_a_signature(client, channel):
    assert error_of(client.subscribes(channel)) == (channel, "AuthError", 401)
    client.joins(channel)
    assert len(client.topics) == 1


@pytest.mark.parametrize(
    "auth",
    [
        None,
        "",
        "key",
        signed("private-b"),
        signed("private-a", socket="1234.5679"),
        signed("private-a", secret="wrong"),
        signed("private-a", data=""),
        signed("private-a").replace("key:", "other:"),
        signed("private-a").upper(),
    ],
)
def test_any_other_signature_is_refused_and_the_connection_stays(client, auth):
    assert error_of(client.subscribes("private-a", auth=auth)) == ("private-a", "AuthError", 401)
    assert client.topics == []
    assert client.subscribes("b.1")[0]["event"] == "pusher_internal:subscription_succeeded"


@pytest.mark.parametrize(
    ("channel", "kind", "status"),
    [
        ("", "InvalidChannel", 400),
        ("a b", "InvalidChannel", 400),
        ("#a", "InvalidChannel", 400),
        ("zoë", "InvalidChannel", 400),
        ("a" * 201, "LimitReached", 4004),
        ("private-" + "a" * 193, "LimitReached", 4004),
        ("=" * 100, "LimitReached", 4004),
    ],
)
def test_a_name_that_is_no_channel_is_refused(client, channel, kind, status):
    assert error_of(client.subscribes(channel)) == (channel, kind, status)


def test_the_last_event_of_a_cache_channel_follows(client):
    client.subscribes("cache-a.1")
    client.subscribes("a.1")
    client.joins("private-cache-a")
    client.subscribes("private-cache-b")
    assert client.lasts == ["pusher.cache-a.1", "pusher.private-cache-~.a"]


def test_subscribing_twice_succeeds_twice_and_subscribes_once(client):
    assert client.subscribes("a.1") == client.subscribes("a.1")
    assert client.topics == ["pusher.a.1"]


def test_unsubscribing_ends_it_and_does_nothing_where_there_is_nothing(client):
    client.subscribes("a.1")
    for _ in range(2):
        assert client.says("pusher:unsubscribe", data={"channel": "a.1"}) == []
    assert client.says("pusher:unsubscribe", data={"channel": "not a channel"}) == []
    assert client.topics == []


def test_a_connection_has_a_bounded_number_of_channels(client):
    for number in range(LIMITS.subscriptions):
        client.subscribes(f"a.{number}")
    assert error_of(client.subscribes("a.9")) == ("a.9", "LimitReached", 4004)
    assert client.subscribes("a.1")[0]["event"] == "pusher_internal:subscription_succeeded"
    client.says("pusher:unsubscribe", data={"channel": "a.1"})
    assert client.subscribes("a.9")[0]["event"] == "pusher_internal:subscription_succeeded"


def test_a_socket_that_is_closed_leaves_all_channels(client):
    client.subscribes("a.1")
    client.subscribes("a.2")
    client.connection.leave()
    assert client.topics == []


def joins_presence(client, channel, user_id, **data):
    text = json.dumps({"user_id": user_id, **data})
    [answer] = client.subscribes(channel, auth=signed(channel, text), channel_data=text)
    return answer


def test_a_member_of_a_presence_channel_is_told_of_all(client):
    assert error_of(client.subscribes("presence-a")) == ("presence-a", "AuthError", 401)
    data = '{"user_id":"1"}'
    assert error_of(client.subscribes("presence-a", auth=signed("presence-a"), channel_data=data))[1] == "AuthError"
    answer = joins_presence(client, "presence-a", 1, user_info={"name": "Ann"})
    assert answer["event"] == "pusher_internal:subscription_succeeded"
    assert json.loads(answer["data"]) == {"presence": ["1"]}
    assert client.rooms == {"pusher.presence-~.a": Member("1", b'{"name":"Ann"}')}
    assert client.users == ["1"]


def test_a_second_subscription_of_a_member_is_no_second_join(client):
    joins_presence(client, "presence-a", "1")
    answer = joins_presence(client, "presence-a", "2")
    assert json.loads(answer["data"]) == {"presence": ["1"]}
    assert client.users == ["1"]


def test_a_member_may_be_several_users(client):
    joins_presence(client, "presence-a", "1")
    joins_presence(client, "presence-b", "1")
    joins_presence(client, "presence-c", "2")
    assert client.users == ["1", "2"]
    client.says("pusher:unsubscribe", data={"channel": "presence-a"})
    assert client.users == ["1", "2"]
    client.says("pusher:unsubscribe", data={"channel": "presence-b"})
    assert client.users == ["2"]
    assert client.left == [("pusher.presence-~.a", "1", True), ("pusher.presence-~.b", "1", True)]
    client.connection.leave()
    assert client.left[2:] == [("pusher.presence-~.c", "2", False)]
    assert client.users == []
    assert client.rooms == {}


def test_a_full_room_and_an_ended_user_are_no_members(client):
    client.is_full = True
    assert joins_presence(client, "presence-a", "1")["event"] == "pusher:subscription_error"
    assert (client.users, client.topics, client.rooms) == ([], [], {})
    client.is_full = False
    client.ended_users.add("1")
    assert (
        client.subscribes("presence-a", auth=signed("presence-a", '{"user_id":"1"}'), channel_data='{"user_id":"1"}')
        == []
    )
    assert (client.closed, client.topics) == (4200, [])


def test_a_node_that_knows_no_members_answers_nothing(client):
    client.is_blind = True
    data = '{"user_id":"1"}'
    assert client.subscribes("presence-a", auth=signed("presence-a", data), channel_data=data) == []
    assert client.topics == []


def test_a_client_event_in_a_presence_channel_names_its_member(client):
    joins_presence(client, "presence-a", "ann")
    client.says("client-x", channel="presence-a", data={"a": 1})
    [(event, data, topic)] = client.pushed
    assert (event, topic) == ("client-x", "pusher.presence-~.a")
    assert data == b'{"pusher:user_id":"ann","data":{"a": 1}}'


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        ("{}", "AuthError", 401),
        ("no json", "AuthError", 401),
        ('{"user_id":null}', "AuthError", 401),
        ('{"user_id":1.5}', "AuthError", 401),
        ('{"user_id":""}', "AuthError", 401),
        ('{"user_id":"' + "a" * 129 + '"}', "AuthError", 401),
        ('{"user_id":"1","user_info":1e999}', "AuthError", 401),
        ('{"user_id":"1","user_info":"' + "a" * 10_000 + '"}', "LimitReached", 4004),
    ],
)
def test_a_member_has_an_id_and_little_info(client, data, kind, status):
    answer = error_of(client.subscribes("presence-a", auth=signed("presence-a", data), channel_data=data))
    assert answer == ("presence-a", kind, status)


def test_a_user_who_has_signed_in_needs_no_channel_data(client):
    signature = signed("presence-a")
    assert error_of(client.subscribes("presence-a", auth=signature))[1] == "AuthError"
    sign_in(client, '{"id":"7"}')
    [answer] = client.subscribes("presence-a", auth=signature)
    assert json.loads(answer["data"]) == {"presence": ["7"]}
    assert error_of(client.subscribes("presence-a", auth=signature, channel_data='{"user_id":"8"}'))[1] == "AuthError"


# -- users -------------------------------------------------------------------------------------------------------------


def sign_in(client, user_data, **changed):
    signature = sign(SECRET, user_text(SOCKET, user_data))
    return client.says("pusher:signin", data={"auth": f"key:{signature}", "user_data": user_data} | changed)


def test_a_user_who_has_signed_in_gets_the_channel_of_that_user(client):
    assert error_of(client.subscribes("#server-to-user-7")) == ("#server-to-user-7", "AuthError", 401)
    user_data = '{"id":"7","user_info":{"name":"Ann"}}'
    [answer] = sign_in(client, user_data)
    assert answer["event"] == "pusher:signin_success"
    assert json.loads(answer["data"]) == {"user_data": user_data}
    assert error_of(client.subscribes("#server-to-user-8"))[1] == "AuthError"
    assert client.subscribes("#server-to-user-7")[0]["event"] == "pusher_internal:subscription_succeeded"
    assert client.topics == ["pusher.~user.7"]
    assert len(sign_in(client, user_data)) == 1
    assert len(sign_in(client, '{"id":"7","user_info":"' + "a" * 5_000 + '"}')) == 1
    assert error_of(client.subscribes("presence-a", auth=signed("presence-a")))[1] == "LimitReached"


@pytest.mark.parametrize("user_data", ["{}", '{"id":7}', '{"id":""}', "[]", "no json", '{"id":"' + "a" * 129 + '"}'])
def test_a_sign_in_without_an_id_is_final(client, user_data):
    assert sign_in(client, user_data) == []
    assert client.closed == 4009


def test_a_sign_in_with_a_wrong_signature_is_final(client):
    sign_in(client, '{"id":"7"}', auth="key:0")
    assert client.refusals == [("7", "the signature of the sign-in is not one of this app for this socket")]
    assert client.closed == 4009


def test_a_sign_in_as_another_user_is_final(client):
    sign_in(client, '{"id":"7"}')
    sign_in(client, '{"id":"8"}')
    assert client.closed == 4009


# -- client events -----------------------------------------------------------------------------------------------------


def refused_event(answers):
    [answer] = answers
    assert answer["event"] == "pusher:error"
    return answer["data"]["code"]


def test_a_client_event_goes_to_the_other_members_as_it_was_sent(client):
    client.joins("private-a")
    sent = b'{"event":"client-typing","channel":"private-a","data":{ "x":1.50 }}'
    assert client.says_text(sent) == []
    assert client.pushed == [("client-typing", b'{ "x":1.50 }', "pusher.private-~.a")]
    client.says("client-plain", channel="private-a", data="{}")
    client.says("client-none", channel="private-a")
    assert [data for _, data, _ in client.pushed[1:]] == [b'"{}"', b"null"]


def test_a_client_event_needs_a_private_channel_of_its_own(client):
    client.subscribes("public.1")
    for channel in ("public.1", "private-other", "not a channel"):
        assert refused_event(client.says("client-x", channel=channel, data={})) == 4301
    assert client.pushed == []
    assert client.closed is None


def test_a_client_event_is_refused_where_the_app_has_none():
    client = Client(App("1", {"key": SECRET}))
    client.joins("private-a")
    assert refused_event(client.says("client-x", channel="private-a", data={})) == 4301


def test_a_client_event_has_a_bounded_size(client):
    client.joins("private-a")
    client.says("client-x", channel="private-a", data="a" * (10 * 1024 - 2))
    assert refused_event(client.says("client-x", channel="private-a", data="a" * (10 * 1024 - 1))) == 4301
    assert len(client.pushed) == 1


@pytest.mark.parametrize("data", [b"1e999", b"[99999999999999999999]", b'"\\u0000a"', b"[" * 101 + b"]" * 101])
def test_a_client_event_that_no_push_can_hold_is_refused(client, data):
    client.joins("private-a")
    answer = client.says_text(b'{"event":"client-x","channel":"private-a","data":%b}' % data)
    assert refused_event(answer) == 4301


def test_client_events_have_a_bounded_rate(client):
    client.joins("private-a")
    for _ in range(10):
        assert client.says("client-x", channel="private-a", data={}) == []
    assert refused_event(client.says("client-x", channel="private-a", data={})) == 4301
    client.now += 0.11
    assert client.says("client-x", channel="private-a", data={}) == []
    assert refused_event(client.says("client-x", channel="private-a", data={})) == 4301
    assert len(client.pushed) == 11


# -- bad frames --------------------------------------------------------------------------------------------------------

BAD = [
    b"",
    b"no json",
    b"\xff",
    b"7",
    b"null",
    b"[]",
    b"{}",
    b'{"event":7}',
    b'{"event":null}',
    b'{"event":"x"}',
    b'{"event":"pusher:subscribe"}',
    b'{"event":"pusher:subscribe","data":{}}',
    b'{"event":"pusher:subscribe","data":{"channel":7}}',
    b'{"event":"pusher:subscribe","data":{"channel":"a","auth":7}}',
    b'{"event":"pusher:subscribe","data":"no json"}',
    b'{"event":"pusher:unsubscribe","data":[]}',
    b'{"event":"pusher:signin","data":{"auth":"x"}}',
    b'{"event":"client-x"}',
    b'{"event":"client-' + b"x" * 200 + b'","channel":"a"}',
    b'{"event":"pusher:subscribe","data":{"channel":"\\ud800"}}',
    b"[" * 60_000,
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_frame_that_is_none_is_told_and_the_connection_stays(client, text):
    [answer] = client.says_text(text)
    assert answer["event"] == "pusher:error"
    assert answer["data"]["code"] is None
    assert answer["data"]["message"]
    assert client.closed is None
    assert client.subscribes("a.1")[0]["event"] == "pusher_internal:subscription_succeeded"


def test_the_twentieth_bad_frame_is_the_last(client):
    for _ in range(MOST_BAD_FRAMES - 1):
        client.says_text(b"no json")
    assert client.closed is None
    client.says_text(b"no json")
    assert client.closed == 4009


def test_binary_and_large_messages_are_final():
    for receive in (Connection.receive_binary, Connection.receive_too_much):
        client = Client()
        receive(client.connection)
        assert client.closed == 4009


def test_pings_are_answered_and_unknown_events_of_the_protocol_are_not(client):
    assert client.says("pusher:ping", data={}) == [{"event": "pusher:pong", "data": "{}"}]
    assert client.says("pusher:ping") == [{"event": "pusher:pong", "data": "{}"}]
    for event in ("pusher:pong", "pusher:later"):
        assert client.says(event, data={}) == []


def test_the_data_of_a_frame_may_be_a_string_with_json_in_it(client):
    assert client.says("pusher:subscribe", data='{"channel":"a.1"}')[0]["channel"] == "a.1"


def test_a_user_is_known_from_signing_in_until_the_end(client):
    sign_in(client, '{"id":"7"}')
    sign_in(client, '{"id":"7"}')
    assert client.users == ["7"]
    client.connection.leave()
    assert client.users == []


def test_a_user_whom_a_command_has_ended_does_not_sign_in(client):
    client.ended_users.add("7")
    assert sign_in(client, '{"id":"7"}') == []
    assert client.closed == 4200
    assert client.connection.user is None


def test_an_ended_subscription_is_told_unless_it_is_there_again(client):
    client.subscribes("a.1")
    client.connection.end_subscription("a.1")
    assert client.topics == []
    client.connection.tell_ended("a.1", "moved")
    told = client.sent[-1]
    assert (told["event"], told["channel"]) == ("pusher:subscription_error", "a.1")
    assert json.loads(told["data"]) == {"type": "Unsubscribed", "error": "moved", "status": 403}
    client.subscribes("a.1")
    before = len(client.sent)
    client.connection.tell_ended("a.1", "moved")
    assert len(client.sent) == before


# -- apps whose topics may be those of the application's feeds ---------------------------------------------------------


SHARED = App("1", {"key": SECRET}, "v1", client_events=True, is_shared=True)
VERIFIED = App("1", {"key": SECRET}, "v1", client_events=True, asks_app=True)


def asks(client, channel, **data):
    return next(iter(client.subscribes(channel, **data)), None)


def signs(client, channel):
    return asks(client, channel, auth=signed(channel))


@pytest.mark.parametrize("app", [SHARED, VERIFIED])
def test_a_public_channel_of_a_feed_is_open_if_the_feed_is(app):
    client = Client(app)
    client.feeds.take(["v1.news", "v1.orders"], ["v1.news"])
    for channel in ("news.1", "elsewhere.1", "orders"):
        assert asks(client, channel)["event"] == "pusher_internal:subscription_succeeded"
    refused = asks(client, "orders.42")
    assert (refused["event"], json.loads(refused["data"])["status"]) == ("pusher:subscription_error", 401)
    client.feeds.ask_backend(lambda: True)
    assert asks(client, "other.1")["event"] == "pusher:subscription_error"
    assert client.topics == ["v1.news.1", "v1.elsewhere.1", "v1.~.orders"]


def test_a_channel_waits_for_the_application_that_declares_feeds():
    client = Client(SHARED)
    asks(client, "orders.42")
    assert (client.held, client.topics) == (["the application of this node has not decided"], [])


def test_a_private_channel_needs_its_signature_only():
    client = Client(SHARED)
    assert signs(client, "private-orders.42")["event"] == "pusher_internal:subscription_succeeded"
    assert (client.asked, client.topics) == ([], ["v1.private-orders.42"])


def test_client_events_do_not_reach_feeds():
    client = Client(SHARED)
    signs(client, "private-orders.42")
    for declared, is_passed in (([], True), (["v1.private-orders"], False)):
        client.feeds.take(declared, declared)
        client.pushed.clear()
        client.says("client-a", channel="private-orders.42", data={})
        assert bool(client.pushed) is is_passed
    client.feeds = FeedRules()
    client.says("client-a", channel="private-orders.42", data={})
    assert client.pushed == []


def test_the_application_is_asked_about_signed_channels():
    client = Client(VERIFIED)
    assert signs(client, "private-a") is None
    [(topic, user_id, answered)] = client.asked
    assert (topic, user_id, client.topics) == ("v1.private-~.a", "", [])
    answered(True)
    assert (client.sent.pop()["event"], client.topics) == ("pusher_internal:subscription_succeeded", [topic])
    assert signs(client, "private-a")["event"] == "pusher_internal:subscription_succeeded"
    data = '{"user_id":"ann"}'
    client.subscribes("presence-a", auth=signed("presence-a", data), channel_data=data)
    _, user_id, answered = client.asked[1]
    answered(False)
    refused = client.sent.pop()
    assert (user_id, refused["event"], client.rooms) == ("ann", "pusher:subscription_error", {})
    signs(client, "private-b")
    client.asked[2][2](None)
    assert client.held == ["the application of this node has not decided"]


def test_a_question_that_nobody_waits_for_any_more_subscribes_nobody():
    client = Client(VERIFIED)
    signs(client, "private-a")
    client.says("pusher:unsubscribe", data={"channel": "private-a"})
    signs(client, "private-b")
    signs(client, "private-b")
    signs(client, "private-c")
    client.connection.leave()
    for _, _, answered in client.asked:
        answered(True)
    assert client.topics == []


def test_questions_count_as_subscriptions():
    client = Client(VERIFIED)
    for number in range(LIMITS.subscriptions):
        assert signs(client, f"private-{number}") is None
    assert signs(client, "private-more")["event"] == "pusher:subscription_error"
    assert client.limits == [("subscriptions", 5)]
