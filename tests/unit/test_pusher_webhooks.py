"""Webhooks in Pusher's form: what the log tells an app's backend, and how it is signed."""

import hashlib
import hmac
import json

import pytest
from msgspec import Raw

from stork_node import clock
from stork_node.config import configuration
from stork_node.errors import ConfigError
from stork_node.protocol.bus import PushFrame
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, StateFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges, TopicChanges
from stork_node.pusher.data import by_member, event_facts
from stork_node.pusher.webhooks.reading import AppEventReader
from stork_node.pusher.webhooks.settings import WEBHOOK_EVENTS
from stork_node.pusher.webhooks.topics import hook_topic, occupied_topic
from stork_node.webhooks.reading import decode_saved, encode_saved
from stork_node.webhooks.settings import read_webhooks

ROOM, OCCUPIED = "pusher.presence-~.room", occupied_topic("pusher")
APP = {"id": "7", "keys": [{"key": "k", "secret": "s"}, {"key": "old", "secret": "o"}]}
HOOK = {"url": "https://a.example/hook"}


class Told:
    def __init__(self, *wanted):
        self.reader, self.number = AppEventReader("pusher", wanted or WEBHOOK_EVENTS), 0

    def take(self, content):
        self.number += 1
        frame = StateFrame(Position("e", self.number), "r", content)
        return [json.loads(each) for each in self.reader.take(frame)]

    def changes(self, topic, *, node="n1", at_ms=1_000, **more):
        return self.take(PresenceChanges(node, 1, (TopicChanges(topic, **more),), at_ms))

    def saved(self):
        return decode_saved(encode_saved(self.reader.table, {}, Position("e", self.number)))


def test_channels_and_members_are_told_once_for_all_nodes():
    told = Told()
    channel = {"channel": "orders.1"}
    assert told.changes(OCCUPIED, on=("orders.1",)) == [{"name": "channel_occupied", **channel}]
    assert told.changes(OCCUPIED, on=("orders.1",), node="n2") == []
    member = {"channel": "presence-room", "user_id": "ann"}
    assert told.changes(ROOM, on=("ann",)) == [{"name": "member_added", **member}]
    assert told.changes(ROOM, on=("ann",), info={"ann": Raw(b"1")}, at_ms=2_000) == []
    assert told.changes(OCCUPIED, left=("orders.1",), node="n2") == []
    assert told.changes(OCCUPIED, left=("orders.1",)) == [{"name": "channel_vacated", **channel}]
    assert told.changes(ROOM, left=("ann",)) == [{"name": "member_removed", **member}]


def test_the_channels_of_a_node_that_is_gone_are_vacated():
    told = Told()
    told.take(NodeAttached("n1", "node-1", "4"))
    told.changes(OCCUPIED, on=("a",))
    assert told.take(NodeGone("n1", "silent")) == []
    over = AbsencesOver(((OCCUPIED, "a", 3),), 3_000)
    assert told.take(over) == [{"name": "channel_vacated", "channel": "a"}]


@pytest.mark.parametrize("topic", ["v1.room.7", "two.presence-~.room", "pusher.~online.~", occupied_topic("two")])
def test_other_topics_are_told_to_nobody(topic):
    assert Told().changes(topic, on=("ann",)) == []


def test_only_what_is_wanted_is_told():
    told = Told("channel_vacated", "client_event")
    assert told.changes(OCCUPIED, on=("a",)) == []
    assert told.changes(ROOM, on=("ann",)) == []
    for name, is_told in (("client_event", True), ("cache_miss", False)):
        event = json.dumps({"type": name, "data": {"name": name}, "timestamp": "2026-01-31T12:00:00.000Z"}).encode()
        push = PushFrame(Position("e", 9), "r", (hook_topic("pusher"),), (), True, event)
        assert [json.loads(each) for each in told.reader.take(push)] == ([{"name": name}] if is_told else [])


def test_what_has_changed_while_the_log_was_lost_is_told():
    before, now = Told(), Told()
    for told, channel, user in ((before, "a", "ann"), (now, "b", "bob")):
        told.changes(OCCUPIED, on=(channel, "both"))
        told.changes(ROOM, on=(user,))
    before.reader.load(now.saved())
    told = [json.loads(each) for each in before.reader.resync(Position("f", 1), "epoch")]
    names = [(each["name"], each.get("user_id", each["channel"])) for each in told]
    assert names == [
        ("channel_vacated", "a"),
        ("member_removed", "ann"),
        ("channel_occupied", "b"),
        ("member_added", "bob"),
    ]


def test_the_data_of_a_client_event_is_a_string():
    assert event_facts("client-a", b'{"x":1}') == {"data": '{"x":1}'}
    assert event_facts("client-a", b'"text"') == {"data": "text"}
    assert event_facts("client-a", by_member("ann", b"[1]")) == {"data": "[1]", "user_id": "ann"}


def read(tmp_path, content, environ=None):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(content))
    return read_webhooks(str(file), environ or {})


def in_workers(*apps):
    component = {"classname": "stork_components.pusher.Pusher", "extra": {"apps": list(apps)}}
    return {"workers": [{"type": "router", "components": [component]}]}


@pytest.mark.parametrize("content", [in_workers(APP | {"webhooks": [HOOK]}), {"apps": [APP | {"webhooks": [HOOK]}]}])
def test_the_apps_of_a_file_have_webhooks(tmp_path, content, monkeypatch):
    monkeypatch.setattr(clock, "wall", lambda: 1_700_000_000.5)
    [form] = read(tmp_path, content)
    assert (form.url, form.known_as) == ("https://a.example/hook", "of the app 7, https://a.example/hook")
    body = form.body([b'{"name":"a"}', b'{"name":"b"}'])
    assert body == b'{"time_ms":1700000000500,"events":[{"name":"a"},{"name":"b"}]}'
    signature = hmac.new(b"s", body, hashlib.sha256).hexdigest()
    assert form.headers(body) == {"X-Pusher-Key": "k", "X-Pusher-Signature": signature}
    assert "'s'" not in repr(form)
    wanted = form.push_filter()
    assert wanted(b'stork 1 push {"topics":["pusher.~hook.~"]}\n{}')
    assert not wanted(b'stork 1 push {"topics":["pusher.~.a"]}\n{}')


def test_an_app_without_webhooks_needs_no_variables_here(tmp_path):
    other = {"id": "${SHOP}", "keys": [{"key": "${SHOP_KEY}", "secret": "${SHOP_SECRET}"}]}
    [form] = read(tmp_path, in_workers(other, APP | {"webhooks": [HOOK]}))
    assert form.app == "7"
    assert read(tmp_path, in_workers(other)) == ()
    assert read(tmp_path, in_workers(APP | {"webhooks": [HOOK], "enabled": False})) == ()


@pytest.mark.parametrize(
    ("apps", "problem"),
    [
        ([APP | {"webhooks": [{"url": "a"}]}], "workers[0].components[0].extra.apps[0].webhooks[0].url: 'a' is not an"),
        (
            [APP | {"webhooks": [{"url": f"https://a.example/{number}"} for number in range(9)]}],
            "workers[0].components[0].extra.apps: have 9 webhooks (want at most 8)",
        ),
    ],
)
def test_wrong_webhooks_are_problems(tmp_path, apps, problem):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, in_workers(*apps))
    assert problem in str(caught.value)


def test_the_publish_server_is_told_where_the_apps_are(tmp_path):
    def load(*apps):
        content = in_workers(*apps)
        content["workers"].append({"type": "guest", "executable": "stork", "arguments": ["publish-server"]})
        (tmp_path / "config.json").write_text(json.dumps(content))
        return configuration.load(tmp_path, {})

    secret = {"id": "7", "keys": [{"key": "k", "secret": "${SHOP_SECRET}"}]}
    assert load(secret).publish_server == ("publish-server",)
    config = load(secret | {"webhooks": [HOOK]})
    assert config.publish_server == ("publish-server", "--webhooks", str(tmp_path / "config.json"))
    assert "${SHOP_SECRET}" in config.webhooks
