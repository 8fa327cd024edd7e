"""Watch lists, and the feeds that an application has declared."""

import json

from stork_node.guard.feed_rules import FeedRules
from stork_node.pusher.channels import channel_of
from stork_node.pusher.users.watchlists import Watchlists, online_topic, watchlist_events


def test_a_change_is_told_to_those_who_watch():
    lists = Watchlists()
    lists.watch("one", ["ann", "bob"])
    lists.watch("two", ["bob"])
    lists.watch("three", [])
    assert lists.told(["ann"], ["bob", "carl"]) == {"one": (["ann"], ["bob"]), "two": ([], ["bob"])}
    lists.watch("one", ["carl"])
    assert lists.told(["ann", "carl"], []) == {"one": (["carl"], [])}
    for socket in ("one", "two", "two", "three"):
        lists.forget(socket)
    assert (len(lists), lists.told(["bob"], [])) == (0, {})


def test_a_frame_names_who_is_online_and_who_is_not():
    frame = json.loads(watchlist_events(["ann"], ["bob", "carl"]))
    assert frame["event"] == "pusher_internal:watchlist_events"
    events = [{"name": "online", "user_ids": ["ann"]}, {"name": "offline", "user_ids": ["bob", "carl"]}]
    assert json.loads(frame["data"]) == {"events": events}
    assert watchlist_events([], []) == b""


def test_no_channel_has_the_topic_of_users():
    assert channel_of(online_topic("pusher"), "pusher") is None


def test_a_topic_is_open_if_its_feed_is_not_declared_or_has_no_verifiers():
    rules = FeedRules()
    assert (rules.is_open("v1.news.1"), rules.is_declared("v1.news.1")) == (None, None)
    rules.take(["v1.news", "v1.orders"], ["v1.news"])
    topics = ("v1.news.1", "v1.orders.1", "v1.other.1")
    assert [rules.is_open(topic) for topic in topics] == [True, False, True]
    assert [rules.is_declared(topic) for topic in topics] == [True, True, False]
    rules.ask_backend(lambda: True)
    assert not any(map(rules.is_open, topics))
