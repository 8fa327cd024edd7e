"""The feeds that a node says, and the warning of a publish server about a push to another one."""

import pytest

from stork_node.nodes.attachment import Attachment
from stork_node.nodes.declared_feeds import DeclaredFeeds
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.protocol.commands.leases import MOST_FEEDS

TOPIC = "v1.oders.42"
WARNING = "no application declares the feed v1.oders: no client can subscribe to it"


def declared(*feeds: str) -> ServedFeeds:
    served = ServedFeeds()
    served.declare(feeds)
    return served


def warning(*said: tuple[str, ...] | None, topics: tuple[str, ...] = (TOPIC,)) -> str:
    feeds = DeclaredFeeds()
    feeds.update(said)
    return feeds.warning(topics)


def test_a_node_says_what_its_application_declares():
    assert declared("v1.orders", "v1.chat").names() == ("v1.chat", "v1.orders")
    assert declared().names() == ()


def test_nothing_is_said_before_an_application_has_started():
    served = ServedFeeds()
    served.permit(["pusher.*"])
    assert served.names() is None


def test_nothing_is_said_where_tickets_may_name_any_topic():
    served = declared("v1.orders")
    served.declare(None)
    assert served.names() is None


def test_what_a_ticket_or_an_app_of_pusher_permits_is_said_too():
    served = declared("v1.orders")
    served.permit(["pusher.*", "v1.chat"])
    assert served.names() == ("pusher.*", "v1.chat", "v1.orders")
    served.declare(["v1.news"])
    assert served.names() == ("pusher.*", "v1.chat", "v1.news")


def test_nothing_is_said_once_a_backend_has_decided():
    served, here = declared("v1.orders"), [False]
    served.ask_backend(lambda: here[0])
    assert served.names() == ("v1.orders",)
    here[0] = True
    assert served.names() is None
    here[0] = False
    assert served.names() is None


@pytest.mark.parametrize(
    "feeds", [[f"v1.f{i}" for i in range(MOST_FEEDS + 1)], ["v" * 200 + f".{i}" for i in range(90)]]
)
def test_too_many_feeds_are_not_said(feeds):
    assert declared(*feeds).names() is None
    served = declared("v1.orders")
    served.permit(feeds)
    assert served.names() is None


def test_each_change_is_told_once():
    changes: list[int] = []
    served = ServedFeeds()
    served.watch(lambda: changes.append(1))
    served.declare(["v1.orders"])
    served.permit(["v1.chat"])
    served.permit(["v1.chat"])
    assert len(changes) == 2


def test_a_lease_has_the_feeds():
    served = declared("v1.orders")
    node = Attachment("node-1", "26.11", feeds=served.names)
    assert node.lease(None, 0).feeds == ("v1.orders",)
    served.declare(None)
    assert node.lease(None, 0).feeds is None


@pytest.mark.parametrize(
    ("said", "topics", "expected"),
    [
        ((("v1.orders",),), (TOPIC,), WARNING),
        (((),), (TOPIC,), WARNING),
        ((("v1.orders",), ("v1.chat",)), (TOPIC,), WARNING),
        ((("v1.orders",),), ("v1.orders.1", "v1.oders.1", "v1.oders.2"), WARNING),
        (
            (("v1.orders",),),
            ("v2.orders.1",),
            "no application declares the feed v2.orders: no client can subscribe to it",
        ),
        (
            ((),),
            tuple(f"v1.f{i}.1" for i in range(1_000)),
            "no application declares the feeds v1.f0, v1.f1, v1.f2 and 997 more: no client can subscribe to them",
        ),
        ((("pusher.*",),), ("pusher.public.a",), ""),
        (
            (("pusher.*",),),
            ("pushers.public.a",),
            "no application declares the feed pushers.public: no client can subscribe to it",
        ),
        ((("v1.oders",),), (TOPIC,), ""),
        ((("v1.orders",), ("v1.oders",)), (TOPIC,), ""),
        ((("v1.orders",), None), (TOPIC,), ""),
        ((), (TOPIC,), ""),
    ],
)
def test_a_push_is_warned_about_if_no_node_can_have_its_feed(said, topics, expected):
    assert warning(*said, topics=topics) == expected
