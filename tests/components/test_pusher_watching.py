"""Subscription counts, watch lists and occupied channels: of two nodes that answer each other, and of one table."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet import task

from stork_node.nodes.answers import Answers
from stork_node.pusher.apps import App, Apps
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.channels import Channel
from stork_node.pusher.members import Member
from stork_node.pusher.webhooks.settings import AppWebhook
from stork_node.pusher.webhooks.topics import occupied_topic
from tests.components.router_inside import SimpleIdentity
from tests.components.test_pusher_sockets import TableOfAll

from stork_components.pusher.channel_watch import ChannelWatch  # isort: skip  # router_inside imports Crossbar first
from stork_components.pusher.hooks import Hooks  # isort: skip
from stork_components.pusher.online_users import SignedInUsers  # isort: skip
from stork_components.pusher.subscription_counts import SubscriptionCounts  # isort: skip

TOPIC = "pusher.news.1"
HOOKED = App("1", {"k": "s"}, counts_subscriptions=True, webhooks=(AppWebhook("https://a.example/"),))


class CountingNode:
    """One node of several."""

    def __init__(self, nodes: "CountingNodes", name: str) -> None:
        self.label, self._nodes, self.table = name, nodes, ChannelTable()
        self.answerers: dict[str, Any] = {}
        self.told: list[tuple[str, int]] = []
        self.changes: list[tuple[str, int]] = []
        self.answer = self.answerers.__setitem__
        self.ask = nodes.ask
        deployment: Any = self
        self.counts = SubscriptionCounts(nodes.clock, self.table, deployment, self._tell, self._changed)
        self.answer("pusher_counts", lambda topics: [self.counts._here(topic) for topic in topics])
        self.table.watcher = lambda _, topic: self.counts.note(topic)
        self.counts.begin()

    def _tell(self, topic: str, body: bytes) -> None:
        self.told.append((topic, json.loads(json.loads(b"{%b}" % body)["data"])["subscription_count"]))

    def _changed(self, topic: str, number: int) -> None:
        self.changes.append((topic, number))

    def join(self, socket: Any, channel: str = "news.1") -> None:
        parsed = Channel.parse(channel)
        self.table.add(parsed, parsed.topic("pusher"), "pusher", socket)

    def take(self) -> list[int]:
        told, self.told = [number for _, number in self.told], []
        return told


class CountingNodes:
    def __init__(self) -> None:
        self.clock = task.Clock()
        self.missing: set[str] = set()
        self.nodes = [CountingNode(self, name) for name in ("node-1", "node-2")]

    async def ask(self, question: str, params: Any) -> Answers:
        there = [node for node in self.nodes if node.label not in self.missing]
        return Answers({node.label: node.answerers[question](params) for node in there}, sorted(self.missing))


def test_clients_of_all_nodes_are_told_how_many_they_are():
    nodes = CountingNodes()
    one, two = nodes.nodes
    one.join("a")
    nodes.clock.pump([1.0] * 2)
    assert (one.take(), two.take(), one.changes) == ([1], [], [(TOPIC, 1)])
    two.join("b")
    nodes.clock.pump([1.0] * 2)
    assert (one.take(), two.take()) == ([2], [2])
    assert two.changes == [(TOPIC, 2)]
    two.table.discard(TOPIC, "b")
    nodes.clock.pump([1.0] * 2)
    assert (one.take(), two.take()) == ([1], [])
    assert two.changes[1:] == [(TOPIC, 1)]
    nodes.clock.pump([1.0] * 60)
    assert (one.take(), two.take()) == ([], [])


def test_a_node_that_is_gone_is_counted_no_longer():
    nodes = CountingNodes()
    one, two = nodes.nodes
    one.join("a")
    two.join("b")
    nodes.clock.pump([1.0] * 2)
    assert one.take()[-1] == 2
    nodes.missing.add("node-2")
    nodes.clock.pump([1.0] * 31)
    assert one.take() == [1]


def test_a_failure_is_logged_and_the_next_change_is_told(monkeypatch):
    nodes = CountingNodes()
    one, _ = nodes.nodes
    failures: list[Any] = []
    monkeypatch.setattr(SubscriptionCounts, "log", SimpleNamespace(failure=failures.append))
    monkeypatch.setattr(one, "ask", None)
    one.join("a")
    nodes.clock.advance(1.0)
    monkeypatch.setattr(one, "ask", nodes.ask)
    one.join("b")
    nodes.clock.advance(1.0)
    assert (len(failures), one.take()) == (1, [2])


# -- users who have signed in ------------------------------------------------------------------------------------------


class Watcher(SimpleIdentity):
    def __init__(self, user: str, *watched: str) -> None:
        member = Member(user, watchlist=watched)
        super().__init__(version="pusher", connection=SimpleNamespace(user=member, app=App("1", {})))
        self.sent: list[Any] = []

    def send(self, frame: bytes) -> None:
        self.sent += json.loads(json.loads(frame)["data"])["events"]

    def take(self) -> dict[str, list[str]]:
        sent, self.sent = self.sent, []
        return {each["name"]: each["user_ids"] for each in sent}


def test_users_are_online_from_the_first_connection_to_the_last():
    table = TableOfAll()
    users = SignedInUsers(lambda: table)  # type: ignore[arg-type,return-value]  # it stands for the table
    table.watch(users.changed)
    ann, bob, again = Watcher("ann", "ann", "bob"), Watcher("bob"), Watcher("bob")
    users.signed_in(ann, ann.connection.user)
    assert ann.take() == {"online": ["ann"], "offline": ["bob"]}
    for each in (bob, again, again):
        users.signed_in(each, each.connection.user)
    table.say("pusher.~online.~", {"ann": b"null", "bob": b"null"})
    table.say("other.~online.~", {"bob": b"null"})
    assert (ann.take(), bob.sent) == ({"online": ["bob"]}, [])
    for each in (bob, again, again):
        users.signed_out(each, each.connection.user, False)
    table.say("pusher.~online.~", {}, ("bob",))
    assert ann.take() == {"offline": ["bob"]}
    users.signed_out(ann, ann.connection.user, True)
    table.say("pusher.~online.~", {"bob": b"null"}, ("ann",))
    assert ann.take() == {}
    joined = [entry[:3] for entry in table.told]
    topic = "pusher.~online.~"
    assert joined == [
        *[("join", topic, user) for user in ("ann", "bob", "bob")],
        *[("leave", topic, user) for user in ("bob", "bob", "ann")],
    ]


def test_who_signs_in_before_the_table_is_known_is_online_later():
    table, known = TableOfAll(), []
    users = SignedInUsers(lambda: known[0] if known else None)
    ann, gone = Watcher("ann", "bob"), Watcher("bob")
    for each in (ann, gone):
        users.signed_in(each, each.connection.user)
    users.signed_out(gone, gone.connection.user, False)
    users.catch_up()
    assert (ann.sent, table.told) == ([], [])
    known.append(table)
    users.catch_up()
    assert ann.take() == {"offline": ["bob"]}
    assert [entry[2] for entry in table.told] == ["ann"]


# -- channels, for webhooks --------------------------------------------------------------------------------------------


class Watching:
    def __init__(self) -> None:
        self.table, self.all, self.counted = ChannelTable(), TableOfAll(), []
        self.is_known = True
        find: Any = lambda: self.all if self.is_known else None  # noqa: E731  # two words
        self.watch = ChannelWatch(self.table, find, self.counted.append)

    def change(self, do: str, *names: str, socket: str = "a") -> list[str]:
        for name in names:
            channel = Channel.parse(name)
            topic = channel.topic("pusher")
            if do == "join":
                self.table.add(channel, topic, "pusher", socket)
            else:
                self.table.discard(topic, socket)
        return self.take()

    def take(self) -> list[str]:
        told, self.all.told = self.all.told, []
        assert all(entry[1] == occupied_topic("pusher") for entry in told)
        return [f"{entry[0]} {entry[2]}" for entry in told]


@pytest.fixture
def watching():
    watching = Watching()
    watching.watch.take(Apps([HOOKED]))
    return watching


def test_a_channel_is_occupied_from_its_first_subscriber_to_its_last(watching):
    assert watching.change("join", "news.1", "presence-a", "#server-to-user-ann") == ["join news.1", "join presence-a"]
    assert watching.change("join", "news.1", socket="b") == []
    assert watching.change("leave", "news.1") == []
    assert watching.change("leave", "news.1", socket="b") == ["leave news.1"]
    assert watching.counted == [TOPIC] * 4


def test_channels_are_told_when_the_table_or_the_webhook_is_there(watching):
    watching.is_known = False
    watching.watch.take(Apps([HOOKED]))
    assert watching.change("join", "news.1", "news.2") == []
    assert watching.change("leave", "news.2") == []
    watching.is_known = True
    watching.watch.catch_up()
    watching.watch.catch_up()
    assert watching.take() == ["join news.1"]
    watching.watch.take(Apps([App("1", {"k": "s"})]))
    assert watching.take() == ["leave news.1"]
    assert (watching.change("join", "news.3"), watching.table.watcher) == ([], None)
    watching.watch.take(Apps([HOOKED]))
    assert sorted(watching.take()) == ["join news.1", "join news.3"]


# -- what only webhooks are told ---------------------------------------------------------------------------------------


def test_webhooks_are_told_what_they_want_and_not_too_much(monkeypatch):
    clock, sent, warnings = task.Clock(), [], []
    hooks = Hooks(clock, sent.extend, iter(map(str, range(10_000))).__next__)
    monkeypatch.setattr(Hooks, "log", SimpleNamespace(warn=lambda *_, why: warnings.append(why)))
    hooks.tell(App("1", {}), "cache_miss", channel="a")
    hooks.tell(HOOKED, "cache_miss", channel="cache-a", data="{}")
    [push] = sent
    document = json.loads(push.frame)
    assert (document["topics"], document["type"]) == (["pusher.~hook.~"], "cache_miss")
    assert document["data"] == {"name": "cache_miss", "channel": "cache-a", "data": "{}"}
    push.refuse("not_confirmed", "away")
    for _ in range(1_000):
        hooks.tell(HOOKED, "cache_miss", channel="cache-a", data="{}")
    assert (len(sent), warnings) == (500, ["not_confirmed"])
    clock.advance(60.0)
    hooks.tell(HOOKED, "cache_miss", channel="cache-a", data="{}")
    sent[-1].refuse("not_confirmed", "away")
    assert len(warnings) == 2
