"""A subscriber without a socket: what it writes, whom it tells, and when it wants to be woken."""

import json

import pytest

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.effects import Deliver, Recovered, StateChanged, SubscriptionChanged
from stork_node.clients.subscribing.endings import Ending
from stork_node.clients.subscribing.protocol import SubscriberProtocol
from stork_node.clients.subscribing.stream import Event
from stork_node.clients.subscribing.subscription import Subscription
from stork_node.errors import InvalidTopic
from tests.vector_files import vectors

TOPIC = "v1.orders.42"
WELCOME = [2, 77, {"authid": "joe", "authrole": "frontend"}]
NOT_RECOVERED = {"recovered": False, "position": "e:3", "events": []}
RECOVER = "io.virge.stork.recover"
UNUSED_ID = 2**53
NOT_WAMP = "it answered with something that is not WAMP"
NOT_OFFERED = "its CHALLENGE cannot be answered: asked for wampcra, which was not offered"


def asks(positions, page=256 << 10, **options):
    """The end of a CALL of ``recover``."""
    return [RECOVER, [positions], {"max_bytes": page, **options}]


class Node:
    """The other side of a subscriber; ``now`` is its clock."""

    def __init__(self, renewable=True):
        self.protocol = SubscriberProtocol("realm1", renewable=renewable, chance=lambda: 0.0)
        self.now = 1000.0

    def begin(self):
        self.protocol.begin(self.now)
        self.protocol.connected(Credentials("joe", "secret"))

    def say(self, *messages):
        for message in messages:
            self.protocol.received(message if isinstance(message, str) else json.dumps(message), self.now)

    def join(self):
        self.begin()
        self.say([4, "ticket", {}], WELCOME)
        self.written()
        self.effects()

    def written(self):
        """The messages that it has written since the last call."""
        messages = list(self.protocol.outbox)
        self.protocol.outbox.clear()
        return messages

    def effects(self):
        found = list(self.protocol.effects)
        self.protocol.effects.clear()
        return found

    def wait(self, seconds):
        self.now += seconds
        self.protocol.wake(self.now)

    def subscribe(self, topic=TOPIC, since=None, match="exact"):
        subscription = Subscription(topic, match, since, handler=print)
        self.protocol.subscribe(subscription)
        return subscription

    def push(self, sequence, wire_id=5, **details):
        event = {"type": "paid", "data": sequence, "timestamp": "2026-01-31T12:00:00Z"}
        self.say([36, wire_id, 1, details, [event], {"position": f"e:{sequence}"}])


def event(sequence, topic=TOPIC):
    return Event(topic, "paid", sequence, "2026-01-31T12:00:00Z", f"e:{sequence}")


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def joined(node):
    node.join()
    return node


@pytest.fixture
def subscribed(joined):
    """Subscribed to TOPIC under 5, at position e:3, with beats under 6."""
    joined.subscription = joined.subscribe()
    joined.say([33, 1, 5], [50, 2, {}, [{TOPIC: NOT_RECOVERED}]], [33, 3, 6])
    joined.written()
    joined.effects()
    return joined


def test_it_joins_with_its_ticket(node):
    node.begin()
    node.say([4, "ticket", {}])
    features = {"subscription_revocation": True, "pattern_based_subscription": True}
    roles = {"subscriber": {"features": features}, "caller": {}}
    assert node.written() == [
        [1, "realm1", {"roles": roles, "authmethods": ["ticket"], "authid": "joe"}],
        [5, "secret", {}],
    ]
    node.say(WELCOME)
    assert node.protocol.session_id == 77
    assert node.effects() == [StateChanged("connecting"), StateChanged("open")]


@pytest.mark.parametrize(
    ("message", "ending", "state"),
    [
        (
            [3, {"message": "no"}, "io.virge.stork.denied"],
            Ending("denied", False, "io.virge.stork.denied", "no"),
            "closed",
        ),
        ([3, {}, "io.virge.stork.expired"], Ending("expired", True, "io.virge.stork.expired"), "waiting"),
        ([3, {}, "wamp.error.no_such_realm"], Ending("refused", False, "wamp.error.no_such_realm"), "closed"),
        ([36, 5, 1, {}], Ending("garbage", True, "", NOT_WAMP), "waiting"),
        ("[3", Ending("garbage", True, "", NOT_WAMP), "waiting"),
        (
            [4, "wampcra", {}],
            Ending("garbage", True, "", NOT_OFFERED),
            "waiting",
        ),
    ],
    ids=str,
)
def test_a_refused_join_is_final_or_tried_again(node, message, ending, state):
    node.begin()
    node.effects()
    node.say(message)
    delay_s = 0.5 if state == "waiting" else 0.0
    assert node.effects() == [StateChanged(state, ending, delay_s)]


def test_an_expired_ticket_is_final_where_there_is_no_other():
    node = Node(renewable=False)
    node.begin()
    node.say([3, {}, "io.virge.stork.expired"])
    assert node.protocol.state == "closed"


def test_a_join_that_takes_30_s_is_given_up(node):
    node.begin()
    assert node.protocol.wake_at() == node.now + 30
    node.wait(30)
    assert node.protocol.ending == Ending("silent", True, "", "no session within 30 s")


def test_what_was_asked_for_before_is_subscribed_on_joining(node):
    one, two = node.subscribe(), node.subscribe("v1.orders.", match="prefix")
    node.begin()
    node.written()
    node.say(WELCOME)
    assert node.written() == [[32, 1, {}, TOPIC], [32, 2, {"match": "prefix"}, "v1.orders."]]
    assert node.effects()[-2:] == [SubscriptionChanged(one, "subscribing"), SubscriptionChanged(two, "subscribing")]


def test_recover_follows_each_subscribed_and_the_first_answer_starts_beats(joined):
    joined.subscribe()
    joined.say([33, 1, 5])
    assert joined.written() == [[32, 1, {}, TOPIC], [48, 2, {}, *asks({TOPIC: None})]]
    joined.say([50, 2, {}, [{TOPIC: NOT_RECOVERED}]])
    assert joined.written() == [[32, 3, {}, "io.virge.stork.beat"]]
    joined.subscribe(since="e:2")
    joined.say([33, 4, 5])
    joined.say([50, 5, {}, [{TOPIC: NOT_RECOVERED}]])
    assert joined.written() == [[32, 4, {}, TOPIC], [48, 5, {}, *asks({TOPIC: "e:2"}, 512 << 10)]]


def test_an_event_is_handed_on_once(subscribed):
    for sequence in (3, 4, 4, 6):
        subscribed.push(sequence)
    assert subscribed.effects() == [
        Deliver(subscribed.subscription, event(4)),
        Deliver(subscribed.subscription, event(6)),
    ]
    assert subscribed.subscription.position == "e:6"


def test_an_event_of_a_subscription_that_is_not_ours_is_nobodys(subscribed):
    subscribed.push(4, wire_id=9)
    assert subscribed.effects() == []


def test_a_lost_connection_is_taken_up_after_a_delay_and_recovers(subscribed):
    subscription = subscribed.subscription
    subscribed.push(4)
    subscribed.protocol.end(Ending("lost", True), subscribed.now)
    assert subscribed.effects() == [
        Deliver(subscription, event(4)),
        StateChanged("waiting", Ending("lost", True), 0.5),
        SubscriptionChanged(subscription, "waiting", Ending("lost", True)),
    ]
    assert subscribed.protocol.wake_at() == subscribed.now + 0.5
    subscribed.join()
    subscribed.say([33, 1, 8])
    assert subscribed.written() == [[48, 2, {}, *asks({TOPIC: "e:4"}, 512 << 10, sessions=[77])]]
    subscribed.push(7, wire_id=8)
    assert subscribed.effects() == [SubscriptionChanged(subscription, "subscribed")]
    missed = {"position": "e:6", "type": "paid", "data": 6, "timestamp": "2026-01-31T12:00:00Z"}
    subscribed.say([50, 2, {}, [{TOPIC: {"recovered": True, "position": "e:6", "events": [missed]}}]])
    assert subscribed.effects() == [
        Deliver(subscription, event(6)),
        Deliver(subscription, event(7)),
        Recovered(subscription, TOPIC, True, "e:7"),
    ]


def test_a_gap_is_told_before_what_comes_after_it(subscribed):
    subscribed.protocol.end(Ending("break", True), subscribed.now)
    subscribed.join()
    subscribed.say([33, 1, 8])
    subscribed.push(9, wire_id=8)
    subscribed.effects()
    subscribed.say([50, 2, {}, [{TOPIC: {"recovered": False, "position": "e:8", "events": []}}]])
    subscription = subscribed.subscription
    assert subscribed.effects() == [Recovered(subscription, TOPIC, False, "e:8"), Deliver(subscription, event(9))]


def test_pages_are_asked_for_until_the_last(joined):
    joined.subscribe(since="e:3")
    joined.say([33, 1, 5])
    page = {"position": "e:4", "type": "paid", "data": 4, "timestamp": "2026-01-31T12:00:00Z"}
    joined.say([50, 2, {}, [{TOPIC: {"recovered": True, "position": "e:4", "events": [page], "more": True}}]])
    assert joined.written()[2:] == [[32, 3, {}, "io.virge.stork.beat"], [48, 4, {}, *asks({TOPIC: "e:4"}, 512 << 10)]]


def test_not_ready_is_asked_again(joined):
    joined.subscribe(since="e:3")
    joined.say([33, 1, 5])
    joined.written()
    joined.say([8, 48, 2, {}, "io.virge.stork.not_ready"])
    assert joined.written() == []
    assert joined.protocol.wake_at() == joined.now + 0.5
    joined.wait(0.5)
    assert joined.written() == [[48, 3, {}, *asks({TOPIC: "e:3"})]]


def test_what_can_never_be_answered_is_told_as_a_gap_and_not_asked_again(joined):
    subscription = joined.subscribe(since="e:3")
    joined.say([33, 1, 5])
    joined.push(9)
    joined.effects()
    joined.written()
    joined.say([8, 48, 2, {}, "wamp.error.invalid_argument", ["it is larger than max_message_size"]])
    assert joined.written() == [[48, 3, {}, RECOVER, [{TOPIC: "e:3"}], {}]]  # as a node of an earlier release takes it
    assert joined.effects() == []
    joined.say([8, 48, 3, {}, "wamp.error.invalid_argument", ["it is larger than max_message_size"]])
    assert joined.effects() == [Recovered(subscription, TOPIC, False, "e:3"), Deliver(subscription, event(9))]
    assert not [message for message in joined.written() if message[0] == 48]


def calls_of(node):
    return [message for message in node.written() if message[0] == 48]


def test_topics_of_many_subscriptions_are_asked_for_together(node):
    subscriptions = [node.subscribe(f"v1.orders.{number}", since=f"e:{number}") for number in range(1, 101)]
    node.begin()
    node.say([4, "ticket", {}], WELCOME)
    requests = [message[1] for message in node.written() if message[0] == 32]
    for wire_id, request in enumerate(requests, 1000):
        node.say([33, request, wire_id])
    first = calls_of(node)
    assert [len(call[4][0]) for call in first] == [1, 1, 1, 1]  # no more at the same time: the others gather meanwhile
    node.say([50, first[0][1], {}, [{"v1.orders.1": {"recovered": True, "position": "e:1", "events": []}}]])
    [second] = calls_of(node)
    assert len(second[4][0]) == 96
    assert {subscription.state for subscription in subscriptions} == {"subscribed"}


def test_two_positions_of_one_topic_are_asked_for_separately(joined):
    one, two = joined.subscribe(since="e:3"), joined.subscribe(since="e:5")
    joined.say([33, 1, 5], [33, 2, 5])
    calls = calls_of(joined)
    assert [call[4] for call in calls] == [[{TOPIC: "e:3"}], [{TOPIC: "e:5"}]]
    for call in calls:
        joined.say([50, call[1], {}, [{TOPIC: {"recovered": True, "position": "e:9", "events": []}}]])
    assert [effect.subscription for effect in joined.effects() if isinstance(effect, Recovered)] == [one, two]


def asked_together(node, number):
    """As many subscriptions, and the call that asks for all but the first four."""
    subscriptions = [node.subscribe(f"v1.orders.{n}", since="e:1") for n in range(number)]
    node.begin()
    node.say([4, "ticket", {}], WELCOME)
    for wire_id, request in enumerate([message[1] for message in node.written() if message[0] == 32], 1000):
        node.say([33, request, wire_id])
    first = calls_of(node)
    assert len(first) == 4
    for call in first[:3]:
        answers = {topic: {"recovered": True, "position": "e:1", "events": []} for topic in call[4][0]}
        node.say([50, call[1], {}, [answers]])
    node.effects()
    return subscriptions, calls_of(node)


def test_more_topics_than_a_node_answers_at_once_are_asked_for_in_portions(node):
    _, calls = asked_together(node, 2505)
    assert [len(call[4][0]) for call in calls] == [1000, 1000, 501]


def test_a_topic_that_gets_none_of_an_answers_bytes_is_asked_for_again(node):
    subscriptions, [call] = asked_together(node, 6)
    missed = {"position": "e:8", "type": "paid", "data": 8, "timestamp": "2026-01-31T12:00:00Z"}
    full = {"recovered": True, "position": "e:8", "events": [missed], "more": True}
    none = {"recovered": True, "position": "e:1", "events": [], "more": True}
    node.say([50, call[1], {}, [{"v1.orders.4": full, "v1.orders.5": none}]])
    assert node.effects() == [Deliver(subscriptions[4], event(8, "v1.orders.4"))]
    [call] = calls_of(node)
    assert call[4] == [{"v1.orders.4": "e:8", "v1.orders.5": "e:1"}]


def test_a_line_that_is_too_slow_for_an_answer_gets_smaller_ones(joined):
    joined.subscribe(since="e:3")
    joined.say([33, 1, 5])
    sizes = [calls_of(joined)[0][5]["max_bytes"]]
    for _ in range(3):
        joined.wait(29)
        joined.say([35, 99])  # something comes: the line is not dead
        joined.wait(1)
        joined.join()
        joined.say([33, 1, 5])
        sizes.append(calls_of(joined)[0][5]["max_bytes"])
    assert sizes == [256 << 10, 64 << 10, 16 << 10, 16 << 10]


def test_a_node_is_told_of_the_latest_100_sessions(joined):
    subscription = joined.subscribe(since="e:3")
    joined.say([33, 1, 5])
    joined.written()
    for _ in range(102):
        joined.protocol.end(Ending("lost", True), joined.now)
        joined.join()
        joined.say([33, 1, 5])
        [call] = calls_of(joined)
    assert call[5]["sessions"] == [77] * 100
    assert subscription.state == "subscribed"


def test_where_there_is_no_recovery_a_gap_is_told_and_events_go_on(joined):
    subscription = joined.subscribe(since="e:3")
    joined.say([33, 1, 5])
    joined.push(9)
    joined.effects()
    joined.say([8, 48, 2, {}, "wamp.error.no_such_procedure"])
    assert joined.effects() == [Recovered(subscription, TOPIC, False, "e:3"), Deliver(subscription, event(9))]


def test_a_topic_that_is_absent_from_the_answer_is_a_gap(joined):
    subscription = joined.subscribe(since="e:3")
    joined.say([33, 1, 5], [50, 2, {}, [{}]])
    assert joined.effects()[-1] == Recovered(subscription, TOPIC, False, "e:3")


def test_an_answer_that_does_not_come_within_30_s_costs_the_connection(joined):
    joined.subscribe(since="e:3")
    joined.say([33, 1, 5])
    joined.now += 29
    joined.push(9)
    joined.wait(1)
    assert joined.protocol.ending == Ending("silent", True, "", f"{RECOVER} did not answer within 30 s")


def test_a_beat_raises_positions_of_what_is_subscribed_and_of_nothing_else(subscribed):
    other = subscribed.subscribe("v1.orders.7", since="e:2")
    subscribed.say([36, 6, 1, {}, [], {"position": "e:50"}])
    assert (subscribed.subscription.position, other.position) == ("e:50", "e:2")
    subscribed.say([8, 32, 4, {}, "io.virge.stork.unavailable"])
    subscribed.say([36, 6, 1, {}, [], {"position": "e:60"}])
    assert (subscribed.subscription.position, other.position) == ("e:60", "e:2")


@pytest.mark.parametrize(
    ("uri", "reason", "state"),
    [
        ("wamp.error.not_authorized", "denied", "refused"),
        ("wamp.error.invalid_uri", "refused", "refused"),
        ("io.virge.stork.unavailable", "unavailable", "waiting"),
        ("wamp.error.authorization_failed", "unavailable", "waiting"),
    ],
)
def test_a_refused_subscription_is_final_or_tried_again(joined, uri, reason, state):
    subscription = joined.subscribe()
    joined.written()
    joined.say([8, 32, 1, {}, uri, ["why"]])
    assert joined.effects()[-1] == SubscriptionChanged(
        subscription, state, Ending(reason, state == "waiting", uri, "why")
    )
    joined.wait(0.5)
    assert joined.written() == ([[32, 2, {}, TOPIC]] if state == "waiting" else [])


def test_a_revoked_subscription_is_refused(subscribed):
    subscribed.say([35, 0, {"subscription": 5, "reason": "io.example.moved"}])
    ending = Ending("revoked", False, "io.example.moved")
    assert subscribed.effects() == [SubscriptionChanged(subscribed.subscription, "refused", ending)]


@pytest.mark.parametrize(
    ("uri", "state"), [("io.virge.stork.disconnected", "closed"), ("wamp.close.system_shutdown", "waiting")]
)
def test_a_goodbye_is_answered_and_final_only_for_a_logout(subscribed, uri, state):
    subscribed.say([6, {}, uri])
    assert subscribed.protocol.state == state
    assert subscribed.written() == [[6, {}, "wamp.close.goodbye_and_out"]]


def test_close_says_goodbye_and_drops_the_subscriptions(subscribed):
    subscribed.protocol.close(subscribed.now)
    assert subscribed.written() == [[6, {}, "wamp.close.close_realm"]]
    assert subscribed.subscription.state == "closed"
    assert subscribed.subscribe().state == "closed"


def test_handlers_of_one_topic_share_a_subscription_until_the_last_leaves(subscribed):
    second = subscribed.subscribe()
    subscribed.say([33, 4, 5])
    subscribed.written()
    subscribed.push(4)
    assert [each.subscription for each in subscribed.effects() if isinstance(each, Deliver)] == [
        subscribed.subscription,
        second,
    ]
    subscribed.protocol.unsubscribe(subscribed.subscription)
    assert subscribed.written() == []
    subscribed.protocol.unsubscribe(second)
    assert subscribed.written() == [[34, 6, 5]]


PATTERN = "v1.orders."


def named(sequence, topic):
    return {
        "topic": topic,
        "position": f"e:{sequence}",
        "type": "paid",
        "data": sequence,
        "timestamp": "2026-01-31T12:00:00Z",
    }


@pytest.fixture
def pattern(joined):
    """A pattern that has met a beat at e:100 and two events since, on its next connection; and its call of recover."""
    joined.subscription = joined.subscribe(PATTERN, match="prefix")
    joined.say([33, 1, 5])
    asked = asks({PATTERN: None}, patterns={PATTERN: "prefix"})
    assert calls_of(joined) == [[48, 2, {}, *asked]]
    joined.say([50, 2, {}, [{PATTERN: {"recovered": False, "position": "e:1", "events": []}}]], [33, 3, 6])
    for number in range(2, 100):
        joined.push(number, topic=f"{PATTERN}{number}")
    joined.push(100, wire_id=6)
    joined.push(101, topic="v1.orders.1")
    joined.push(102, topic="v1.orders.2")
    assert len([each for each in joined.effects() if isinstance(each, Deliver)]) == 100
    joined.protocol.end(Ending("lost", True), joined.now)
    joined.join()
    joined.say([33, 1, 5])
    joined.effects()
    [joined.call] = calls_of(joined)
    return joined


def test_a_pattern_asks_from_what_a_beat_has_covered(pattern):
    assert pattern.call[3:] == asks({PATTERN: "e:100"}, page=512 << 10, sessions=[77], patterns={PATTERN: "prefix"})
    pattern.push(106, topic="v1.orders.2")  # held back
    events = [named(101, "v1.orders.1"), named(102, "v1.orders.2"), named(103, "v1.orders.new")]
    page = {"recovered": True, "position": "e:103", "events": events, "more": True}
    pattern.say([50, pattern.call[1], {}, [{PATTERN: page}]])
    assert pattern.effects() == [Deliver(pattern.subscription, event(103, "v1.orders.new"))]
    [call] = calls_of(pattern)
    assert call[4] == [{PATTERN: "e:103"}]
    both = [named(105, "v1.orders.1"), named(105, "v1.orders.2")]
    pattern.say([50, call[1], {}, [{PATTERN: {"recovered": True, "position": "e:105", "events": both}}]])
    assert pattern.effects() == [
        Deliver(pattern.subscription, event(105, "v1.orders.1")),
        Deliver(pattern.subscription, event(105, "v1.orders.2")),
        Deliver(pattern.subscription, event(106, "v1.orders.2")),
        Recovered(pattern.subscription, PATTERN, True, "e:105"),
    ]
    assert pattern.subscription.position is None


@pytest.mark.parametrize("is_old", [True, False])
def test_a_pattern_that_cannot_be_recovered_is_told_so_once(pattern, is_old):
    if is_old:  # a node that knows no patterns
        pattern.say([8, 48, pattern.call[1], {}, "wamp.error.invalid_argument"])
    else:
        answer = {PATTERN: {"recovered": False, "position": "e:100", "events": []}}
        pattern.say([50, pattern.call[1], {}, [answer]])
    assert pattern.effects() == [Recovered(pattern.subscription, PATTERN, False, "e:100")]
    assert not calls_of(pattern)


def test_a_silent_connection_is_probed_after_30_s_and_ended_after_60_s(subscribed):
    assert subscribed.protocol.wake_at() == subscribed.now + 30
    subscribed.wait(30)
    assert subscribed.written() == [[34, 4, UNUSED_ID]]
    assert subscribed.protocol.wake_at() == subscribed.now + 30
    subscribed.say([8, 34, 4, {}, "wamp.error.no_such_subscription"])
    subscribed.wait(59)
    assert subscribed.protocol.state == "open"
    subscribed.wait(1)
    assert subscribed.protocol.ending == Ending("silent", True, "", "no frame for 60 s")


def test_delays_grow_until_a_connection_was_stable(node):
    node.protocol = SubscriberProtocol("realm1", renewable=True, chance=lambda: 1.0)

    def ended():
        node.protocol.end(Ending("lost", True), node.now)
        return node.effects()[-1].delay_s

    delays = []
    for _ in range(3):
        node.join()
        node.now += 9
        delays.append(ended())
    node.join()
    node.now += 10
    assert [*delays, ended()] == [1, 2, 4, 1]


def test_a_try_can_be_hurried(subscribed):
    subscribed.protocol.hurry(subscribed.now)
    subscribed.protocol.end(Ending("lost", True), subscribed.now)
    subscribed.protocol.hurry(subscribed.now)
    assert subscribed.protocol.wake_at() == subscribed.now


@pytest.mark.parametrize(
    "message", ["null", "[]", "{}", '["x"]', "[36]", "[36, 5, 1, null]", "[2, 5, {}]", "[35, 0]", "[6]", "[" * 200_000]
)
def test_what_is_not_wamp_costs_the_connection_and_nothing_else(subscribed, message):
    subscribed.say(message)
    assert (subscribed.protocol.state, subscribed.protocol.ending.reason) == ("waiting", "garbage")


@vectors("topics", "refused")
def test_what_is_no_topic_is_never_asked_for(case):
    with pytest.raises(InvalidTopic) as refused:
        Subscription(case["uri"], case["match"], None, handler=print)
    assert str(refused.value) == f"{case['uri']!r} is not a topic: {case['reason']}"


@vectors("topics", "accepted")
def test_what_is_a_topic_or_a_pattern_may_be_asked_for(case):
    assert Subscription(case["uri"], case["match"], None, handler=print).state == "waiting"
