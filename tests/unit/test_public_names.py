"""The names that ``import stork_node`` provides, and the modules that it does not load."""

import subprocess
import sys

import pytest

import stork_node


def test_the_public_names_are_these():
    assert stork_node.__all__ == [
        "AsyncPublisher",
        "AuthRequest",
        "Call",
        "CallError",
        "Caller",
        "ClientSession",
        "ConfigError",
        "DeclarationError",
        "Deny",
        "Event",
        "Feed",
        "InvalidCommand",
        "InvalidPush",
        "InvalidTopic",
        "NotConfirmed",
        "NotRunning",
        "Principal",
        "Publisher",
        "PushFailed",
        "PushRefused",
        "Stork",
        "StorkError",
        "Subscriber",
        "SubscriberEnded",
        "SubscriptionRefused",
        "Topic",
        "feed_id",
        "verify_webhook",
    ]


@pytest.mark.parametrize("name", stork_node.__all__)
def test_each_public_name_is_there_and_documented(name):
    value = getattr(stork_node, name)
    assert value.__name__ == name
    assert name.startswith("Invalid") or value.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'stork_node' has no attribute 'Storck'"):
        _ = stork_node.Storck


def test_a_former_name_still_works_and_names_the_new_one():
    with pytest.warns(DeprecationWarning, match=r"^stork_node\.Session is stork_node\.ClientSession now$"):
        assert stork_node.Session is stork_node.ClientSession


HEAVY = ["twisted", "autobahn", "crossbar", "txaio", "click", "rich", "prometheus_client", "websockets", "zmq"]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import stork_node", HEAVY),
        ("from stork_node import Publisher, AsyncPublisher", HEAVY[:-1]),
        ("from stork_node import Subscriber", HEAVY),
        ("import stork_node.testing", HEAVY[:-1]),
        ("import stork_node.application.running.runtime, stork_node.application.loading", HEAVY[:-1]),
    ],
)
def test_an_import_loads_neither_twisted_nor_crossbar(statement, absent):
    script = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}} & set({absent})))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout == "\n"
