"""on_online and on_offline handlers, told by a real publish server, at nodes without routers."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from stork_node.nodes import leases
from stork_node.presence.settling import Settling
from stork_node.publish_server import PublishServerSettings
from stork_node.webhooks import holding, sending
from tests.components.following_app import App, FollowingNode
from tests.components.routerless import Node, fixed_settings, run
from tests.components.served import serving
from tests.components.test_webhooks_random import ROOMS, USERS, step
from tests.redis_servers import RedisServer

ROOM, OTHER = ROOMS
Heard = list[tuple[str, str, str | None]]


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(sending, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(sending, "SAVE_S", 0.05)
    monkeypatch.setattr(holding, "RENEW_S", 0.05)
    monkeypatch.setattr(Settling, "is_over", lambda self, *_: True)


@pytest.fixture
def chosen(tmp_path) -> PublishServerSettings:
    return fixed_settings(tmp_path)


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def opened(heard) -> Iterator[Callable[..., FollowingNode]]:
    with ExitStack() as stack:

        def open_node(chosen: PublishServerSettings, name: str = "node-1") -> FollowingNode:
            node = FollowingNode(chosen.pub, chosen.replay, name, App(heard))
            stack.callback(node.close)
            return node

        yield open_node


def come(nodes: list[Node], user: str, topic: str = ROOM) -> None:
    nodes[0].local.join(topic, user, 0)
    run(nodes, lambda: user in nodes[0].attending.presence.table.users(topic))


def go(nodes: list[Node], user: str, topic: str = ROOM) -> None:
    nodes[0].local.leave(topic, user, has_left=True)
    run(nodes, lambda: user not in nodes[0].attending.presence.table.users(topic))


def known(heard: Heard) -> dict[str | None, set[str]]:
    """What handlers keep that write down who is where."""
    found: dict[str | None, set[str]] = {}
    for kind, user, topic in heard:
        (found.setdefault(topic, set()).add if kind == "online" else found.setdefault(topic, set()).discard)(user)
    return {topic: users for topic, users in found.items() if users}


def test_each_change_is_told_with_the_first_and_the_last_topic_of_a_user(chosen, opened, heard):
    node = opened(chosen)
    with serving(chosen):
        come([node], "ann")
        run([node], lambda: len(heard) == 2)
        come([node], "ann", OTHER)
        go([node], "ann")
        go([node], "ann", OTHER)
        run([node], lambda: len(heard) == 6)
    assert heard == [
        ("online", "ann", None),
        ("online", "ann", ROOM),
        ("online", "ann", OTHER),
        ("offline", "ann", ROOM),
        ("offline", "ann", OTHER),
        ("offline", "ann", None),
    ]


def test_a_handler_that_raises_is_called_again_and_nothing_else_is(chosen, opened, heard):
    node = opened(chosen)
    with serving(chosen) as server:
        node.app.fails = 3
        come([node], "ann")
        come([node], "bob")
        run([node], lambda: len(heard) == 4)
        assert server._webhooks.figures()["handlers_failures"] == 3
        assert server._webhooks.figures()["handlers_waiting"] == 0
    assert heard == [
        (kind, user, topic) for user in ("ann", "bob") for kind, topic in (("online", None), ("online", ROOM))
    ]


def test_what_came_about_while_the_application_was_away_is_told_later(chosen, opened, heard):
    node = opened(chosen)
    with serving(chosen):
        come([node], "ann")
        run([node], lambda: len(heard) == 2)
        node.app.is_there = False
        come([node], "bob")
        go([node], "ann")
        node.app = App(heard)
        run([node], lambda: len(heard) == 6)
    assert known(heard) == {None: {"bob"}, ROOM: {"bob"}}


def test_another_node_is_told_when_the_first_one_dies(chosen, opened, heard, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_S", 4.0)
    monkeypatch.setattr("stork_node.consumers.telling.ASK_S", 1.0)
    first, second = opened(chosen), opened(chosen, "node-2")
    with serving(chosen):
        run([first, second], lambda: first.is_attached and second.is_attached)
        come([first, second], "ann")
        come([second, first], "bob")
        run([first, second], lambda: len(heard) == 4)
        other, gone = (second, "ann") if first.app.asked else (first, "bob")
        run([other], lambda: gone not in known(heard).get(ROOM, set()))  # the asked one is dead
        come([other], "eve")
        run([other], lambda: "eve" in known(heard)[ROOM])
    assert known(heard)[ROOM] == known(heard)[None] == {"ann", "bob", "eve"} - {gone}


@pytest.mark.parametrize("seed", range(3))
def test_handlers_end_with_the_right_set(chosen, opened, heard, seed):
    chance = random.Random(seed)
    node, truth = opened(chosen), {room: set[str]() for room in ROOMS}
    for number in range(4):
        limits = {"retention_bytes": 4000} if number == 2 else {}
        with serving(replace(chosen, **limits)):
            for _ in range(8):
                kind = chance.randrange(4)
                if kind == 0:
                    node.app.fails = 2
                elif kind == 1:
                    node.app = App(heard)
                node.app.is_there = kind != 2
                step(node, truth, chance)
    node.app.is_there = True
    with serving(chosen):
        right = {room: users for room, users in truth.items() if users}
        anywhere = set().union(*truth.values())
        run([node], lambda: known(heard) == right | ({None: anywhere} if anywhere else {}))
    assert set(USERS) >= anywhere


def test_with_an_engine_the_server_of_a_node_with_handlers_tells(tmp_path, opened, heard):
    with RedisServer(tmp_path) as redis, ExitStack() as stack:
        chosen = [replace(fixed_settings(tmp_path / str(n)), engine=redis.url) for n in range(2)]
        servers = [stack.enter_context(serving(each)) for each in chosen]
        plain = Node(chosen[0].pub, chosen[0].replay, "node-1")
        stack.callback(plain.close)
        node = opened(chosen[1], "node-2")
        come([plain, node], "ann")
        run([plain, node], lambda: len(heard) == 2)
        assert [bool(server._handlers.holding.sender) for server in servers] == [False, True]
        moved = opened(chosen[0], "node-3")
        node.attending.close()
        come([plain, moved], "bob")
        run([plain, moved], lambda: len(heard) == 4)
    assert known(heard) == {None: {"ann", "bob"}, ROOM: {"ann", "bob"}}
