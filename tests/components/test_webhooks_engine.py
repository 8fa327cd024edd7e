"""Webhooks of several publish servers on one Redis: one of them sends, and another goes on where it was."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from stork_node.presence.settling import Settling
from stork_node.publish_server import PublishServer, PublishServerSettings
from stork_node.webhooks import holding, sending
from tests.components.routerless import Node, fixed_settings
from tests.components.served import serving, wait_for
from tests.components.test_webhooks import ROOM, come, figures, go, hook, short
from tests.components.webhook_target import Target
from tests.redis_servers import RedisServer


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(sending, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(holding, "RENEW_S", 0.05)
    monkeypatch.setattr(Settling, "is_over", lambda self, *_: True)


@pytest.fixture
def redis(tmp_path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as opened:
        yield opened


@pytest.fixture
def chosen(tmp_path, redis) -> list[PublishServerSettings]:
    return [replace(fixed_settings(tmp_path / str(n)), engine=redis.url) for n in range(2)]


def opened(stack: ExitStack, chosen: PublishServerSettings) -> Node:
    node = Node(chosen.pub, chosen.replay, "node-1")
    stack.callback(node.close)
    return node


def is_sending(server: PublishServer) -> bool:
    """It holds the term, and has begun."""
    return any(sender.mailbox.position for sender in server._webhooks._senders)


def test_one_server_sends_and_the_other_goes_on_when_it_stops(chosen, target):
    with ExitStack() as stack:
        second_stack = stack.enter_context(ExitStack())
        with serving(chosen[0], webhooks=[hook(target)]) as first:
            wait_for(lambda: is_sending(first), "the first to send")
            second = second_stack.enter_context(serving(chosen[1], webhooks=[hook(target)]))
            node = opened(stack, chosen[1])
            come(node, "ann")
            come(node, "bob")
            wait_for(lambda: len(target.events) == 3, "three events")
            assert (is_sending(first), is_sending(second)) == (True, False)
        come(node, "eve")
        go(node, "ann")
        wait_for(lambda: len(target.events) == 5, "five events")
        assert is_sending(second)
        assert figures(second)["webhooks_resyncs"] == 0
        assert short(target.events) == [f"occupied {ROOM}", "online ann", "online bob", "online eve", "offline ann"]


def test_a_server_that_hangs_is_replaced_and_sends_nothing_later(chosen, target, monkeypatch):
    monkeypatch.setattr(holding, "LEASE_S", 4.0)
    monkeypatch.setattr(holding, "TRUST_S", 1.0)
    hangs, goes_on = threading.Event(), threading.Event()
    with ExitStack() as stack:
        first = stack.enter_context(serving(chosen[0], webhooks=[hook(target)]))
        stack.callback(goes_on.set)
        wait_for(lambda: is_sending(first), "the first to send")
        second = stack.enter_context(serving(chosen[1], webhooks=[hook(target)]))
        node = opened(stack, chosen[1])
        come(node, "ann")
        wait_for(lambda: len(target.events) == 2, "two events")
        target.otherwise = 500
        come(node, "bob")
        wait_for(lambda: figures(first)["webhooks_failures"] > 1, "failures")
        sender, work = first._webhooks._senders[0], first._webhooks.work

        def hang(*args: float) -> None:
            if not goes_on.is_set():
                hangs.set()
                goes_on.wait()
            work(*args)

        monkeypatch.setattr(first._webhooks, "work", hang)
        hangs.wait()
        wait_for(lambda: is_sending(second), "the second to send")
        failures = sender.failures
        target.otherwise = 200
        wait_for(lambda: len(target.events) == 3, "three events")
        goes_on.set()
        wait_for(lambda: not is_sending(first), "the first to notice")
        go(node, "ann")
        wait_for(lambda: len(target.events) == 4, "four events")
        assert sender.failures == failures
        assert is_sending(second)
        assert short(target.events) == [f"occupied {ROOM}", "online ann", "online bob", "offline ann"]


def test_a_new_epoch_of_the_engine_tells_everybody(chosen, target, redis):
    with ExitStack() as stack:
        server = stack.enter_context(serving(chosen[0], webhooks=[hook(target)]))
        wait_for(lambda: is_sending(server), "it to send")
        node = opened(stack, chosen[0])
        come(node, "ann", "bob")
        wait_for(lambda: len(target.events) == 3, "three events")
        redis.call("FLUSHALL")
        wait_for(lambda: is_sending(server), "it to send again")
        come(node, "eve")
        wait_for(lambda: any(each["event"] == "resync" for each in target.events), "a resync")
        wait_for(lambda: "eve" in _known(target), "eve to be known")
        assert _known(target) == {"ann", "bob", "eve"}


def _known(target: Target) -> set[str]:
    known: set[str] = set()
    for event in list(target.events):
        if event["event"] == "resync":
            known = {user["authid"] for user in event["topics"].get(ROOM, [])}
        elif event["event"] == "online":
            known.add(event["authid"])
        elif event["event"] == "offline":
            known.discard(event["authid"])
    return known
