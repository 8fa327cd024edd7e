"""What a node remembers of its sessions, and what it concludes: one test for each cause."""

import tracemalloc

import pytest

from stork_node.why.judging import CAUSES, Finding, judge
from stork_node.why.merging import Report, WhyQuestion, merge, sentence
from stork_node.why.recent import MAX_AGE_S, MOST_REFUSED, Kind, RecentEvents

TOPIC = "v1.orders.42"
EXACT = (TOPIC, "exact")


class Node:
    """One user's sessions on one node, and pushes to one topic. A second passes with each step."""

    def __init__(self, max_bytes=1 << 20):
        self.now = 1000.0
        self.recent = RecentEvents(max_bytes, lambda: self.now)
        self.recent.begin("e", 0)
        self.live = {}

    def push(self):
        self.now += 1
        number = self.recent.sequence + 1
        self.recent.delivered("e", number, number)
        return number

    def note(self, kind, session=1, *args, **kwargs):
        self.now += 1
        self.recent.note(kind, session, "ann", *args, **kwargs)

    def join(self, session=1):
        self.note(Kind.JOINED, session)
        self.live[session] = []

    def subscribe(self, session=1, what=EXACT):
        self.note(Kind.SUBSCRIBED, session, what)
        self.live[session].append(what)

    def unsubscribe(self, session=1, what=EXACT):
        self.note(Kind.UNSUBSCRIBED, session, what)
        self.live[session].remove(what)

    def leave(self, session=1):
        self.note(Kind.LEFT, session, held=self.live.pop(session))

    def judge(self, sequence, excluded=()):
        records, at = self.recent.of("ann", self.live), self.recent.delivered_at(sequence)
        refused = self.recent.refused_joins("ann")
        return judge(records, self.live, TOPIC, sequence, at, excluded, refused)

    def finding(self, sequence, excluded=()):
        [finding] = self.judge(sequence, excluded).findings
        return finding


@pytest.fixture
def node():
    node = Node()
    node.join()
    return node


@pytest.mark.parametrize("what", [EXACT, ("v1.orders.", "prefix"), ("v1..42", "wildcard")])
def test_delivered_to_a_session_that_was_subscribed(node, what):
    before = node.push()
    node.subscribe(what=what)
    number, at = node.push(), node.now
    node.unsubscribe(what=what)
    after = node.push()
    assert node.finding(number) == Finding("delivered", 1, at)
    assert [node.finding(each).cause for each in (before, after)] == ["not_subscribed"] * 2


def test_delivered_before_the_session_left(node):
    node.subscribe()
    number = node.push()
    node.leave()
    node.push()
    assert node.finding(number).cause == "delivered"


def test_excluded_by_the_push(node):
    node.subscribe()
    assert node.finding(node.push(), excluded=(1,)).cause == "excluded"


def test_not_subscribed_since_the_subscription_ended(node):
    node.subscribe()
    node.unsubscribe()
    ended = node.now
    assert node.finding(node.push()) == Finding("not_subscribed", 1, ended)


def test_not_subscribed_to_this_topic(node):
    node.subscribe(what=("v1.orders.43", "exact"))
    assert node.finding(node.push()) == Finding("not_subscribed", 1)


def test_denied_with_who_and_when(node):
    node.note(Kind.DENIED, 1, EXACT, by="application", reason="not yours")
    denied = node.now
    assert node.finding(node.push()) == Finding("denied", 1, denied, "application", "not yours")
    node.subscribe()
    assert node.finding(node.push()).cause == "delivered"


def test_a_denial_of_another_topic_is_none(node):
    node.note(Kind.DENIED, 1, ("v1.orders.43", "exact"), by="application", reason="not yours")
    assert node.finding(node.push()).cause == "not_subscribed"


def test_offline_since_the_last_session_left(node):
    node.join(2)
    node.leave(2)
    node.leave(1)
    left = node.now
    number = node.push()
    node.join(3)
    node.subscribe(3)
    found = node.judge(number)
    assert (found.findings, found.offline) == ([], Finding("offline", 1, left))


def test_offline_without_any_session():
    node = Node()
    assert (node.judge(node.push()).findings, node.judge(1).offline) == ([], None)


def test_slow_and_cut(node):
    node.subscribe()
    read = node.push()
    waited_since = node.now + 0.5
    unread = node.push()
    node.note(Kind.SLOW, 1, reason="4194305 bytes are waiting", since=waited_since)
    cut = node.now
    node.leave()
    missed = node.push()
    assert node.finding(read).cause == "delivered"
    slow = Finding("slow", 1, cut, reason="4194305 bytes are waiting")
    assert node.finding(unread) == slow
    assert node.judge(missed).offline == slow


def test_recovered_by_a_later_session(node):
    node.subscribe()
    read = node.push()
    node.leave()
    number = node.push()
    node.join(2)
    node.subscribe(2)
    node.note(Kind.RECOVERED, 2, EXACT, start=read, end=number)
    recovered = node.now
    later = node.push()
    assert node.finding(number) == Finding("recovered", 2, recovered)
    assert [node.finding(each).cause for each in (read, later)] == ["delivered", "delivered"]


def test_join_refused_after_the_last_session_left(node):
    node.leave()
    before = node.push()
    node.now += 1
    node.recent.note_refused_join("ann", 2, "node", "the token expired 3 s ago")
    node.recent.note_refused_join("bob", 3, "node", "another user")
    node.recent.note_refused_join("", 4, "node", "nobody")
    refused = Finding("join_refused", 2, node.now, "node", "the token expired 3 s ago")
    number = node.push()
    assert (node.judge(before).offline.cause, node.judge(number).offline) == ("offline", refused)
    node.join(5)
    node.leave(5)
    assert node.judge(node.push()).offline == Finding("offline", 5, node.now - 1)


def test_refused_joins_are_bounded_and_get_old():
    node = Node()
    node.join()
    for number in range(MOST_REFUSED + 1):
        node.recent.note_refused_join(f"u{number}" * 100, number, "node", "x" * 1000)
    assert not node.recent.refused_joins("u0" * 100)
    [found] = node.recent.refused_joins("u1" * 100)
    assert (len(found.authid), len(found.reason)) == (200, 255)
    assert len(node.recent) == 1
    node.now += MAX_AGE_S + 1
    assert not node.recent.refused_joins("u1" * 100)


def test_a_client_that_is_two_users_is_here_for_each_from_its_own_time(node):
    node.subscribe()
    number = node.push()
    node.recent.note(Kind.JOINED, 1, "bob")
    node.recent.note(Kind.LEFT, 1, "bob")
    assert node.finding(number).cause == "delivered"


def test_each_session_has_its_cause_and_the_strongest_comes_first(node):
    node.join(2)
    node.subscribe(2)
    found = node.judge(node.push()).findings
    assert [(finding.session, finding.cause) for finding in found] == [(2, "delivered"), (1, "not_subscribed")]


def test_other_users_are_not_mixed_in(node):
    node.recent.note(Kind.JOINED, 9, "bob")
    node.recent.note(Kind.SUBSCRIBED, 9, "bob", EXACT)
    assert node.finding(node.push()).session == 1


def test_the_time_of_a_delivery_is_known_for_some_minutes(node):
    number, at = node.push(), node.now
    for _ in range(20):
        node.now += 0.01
        node.recent.delivered("e", node.recent.sequence + 1, node.recent.sequence + 1)
    assert node.recent.delivered_at(number) == at
    assert node.recent.delivered_at(node.recent.sequence) == pytest.approx(node.now, abs=0.11)
    assert node.recent.delivered_at(node.recent.sequence + 1) is None
    for _ in range(10_000):
        node.push()
    assert node.recent.delivered_at(number) is None


def test_what_is_too_old_or_too_much_is_not_known_any_more():
    node = Node(max_bytes=100_000)
    node.join()
    node.subscribe()
    number = node.push()
    assert number > node.recent.known_from
    while len(node.recent) < 1000 and node.recent.known_from < number:
        node.note(Kind.SUBSCRIBED, 7, ("v1.orders.7", "exact"))
        node.push()
    assert number <= node.recent.known_from < node.recent.sequence
    assert node.recent.bytes <= 100_000
    node.now += MAX_AGE_S + 1
    node.note(Kind.JOINED, 8)
    assert len(node.recent) == 1


def test_numbers_of_another_epoch_come_after_all_that_was(node):
    node.subscribe()
    for _ in range(5):
        node.push()
    node.recent.delivered("f", 3, 3)
    assert (node.recent.known_from, node.recent.sequence) == (2, 3)
    assert node.finding(3).cause == "delivered"


@pytest.mark.parametrize("held", [0, 100])
def test_the_memory_is_what_is_said(held):
    recent = RecentEvents(1 << 22)
    topics = [f"v1.orders.{number}" for number in range(held)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(30_000):
        recent.note(
            Kind.LEFT,
            1 << 40 | number,
            "ann",
            (f"v1.orders.{number:020}", "exact"),
            held=[(topic, "exact") for topic in topics],
        )
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.2 * recent.bytes < used < 1.2 * (1 << 22)


ASKED = WhyQuestion(TOPIC, "ann", "e:1")


def causes(reports, missing=(), asked=ASKED):
    return [(each["cause"], each.get("node")) for each in merge(asked, reports, missing)["causes"]]


def test_the_answer_names_nodes_and_times():
    reports = {"node-1": Report(), "node-2": Report(findings=[Finding("delivered", 7, 0.5)])}
    assert merge(ASKED, reports, ["node-3"]) == {
        "topic": TOPIC,
        "user": "ann",
        "position": "e:1",
        "causes": [{"cause": "delivered", "node": "node-2", "session": 7, "at": "1970-01-01T00:00:00.500Z"}],
        "missing": ["node-3"],
    }


def test_the_last_leave_of_all_nodes_counts():
    reports = {f"node-{n}": Report(offline=Finding("offline", n, float(n))) for n in (1, 3, 2)}
    assert causes(reports) == [("offline", "node-3")]


def test_offline_and_denied_are_not_claimed_where_a_node_does_not_know():
    assert causes({"node-1": Report(), "node-2": Report(is_known=False)}) == [("unknown", None)]
    assert causes({"node-1": Report()}, ["node-2"]) == [("unknown", None)]
    denied = Report(findings=[Finding("denied", 1)])
    assert causes({"node-1": denied}, ["node-2"]) == [("denied", "node-1"), ("unknown", None)]


def test_a_node_that_has_not_come_so_far_is_pending():
    assert causes({"node-1": Report(is_pending=True)}) == [("pending", "node-1")]


def test_an_event_of_other_topics_was_not_pushed():
    reports = {"node-1": Report(findings=[Finding("delivered", 1)], is_pushed=False)}
    assert causes(reports) == [("not_pushed", None)]


def test_without_a_position_it_is_what_would_happen_now():
    reports = {"node-1": Report(findings=[Finding("delivered", 1)])}
    assert causes(reports, asked=WhyQuestion(TOPIC, "ann")) == [("subscribed", "node-1")]


@pytest.mark.parametrize("cause", ["subscribed", *CAUSES])
def test_each_cause_has_a_sentence(cause):
    whole = {"cause": cause, "node": "node-1", "session": 7, "at": "now", "by": "application", "reason": "no"}
    assert sentence(whole).startswith(cause.replace("_", " "))
    assert sentence({"cause": cause})
