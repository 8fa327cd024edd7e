"""Webhooks of a real publish server, with nodes without routers, at a real HTTP server."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from stork_node.clients.publisher import Publisher
from stork_node.nodes import leases
from stork_node.publish_server import PublishServer, PublishServerSettings
from stork_node.webhooks import sending
from stork_node.webhooks.settings import WebhookSettings
from tests.components.routerless import Node, fixed_settings, run
from tests.components.served import serving, wait_for
from tests.components.webhook_target import SECRET, Target

ROOM = "v1.room.7"


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(sending, "LONGEST_PAUSE_S", 0.1)


@pytest.fixture
def chosen(tmp_path) -> PublishServerSettings:
    return fixed_settings(tmp_path)


@pytest.fixture
def node(chosen) -> Iterator[Node]:
    found = Node(chosen.pub, chosen.replay, "node-1")
    yield found
    found.close()


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as opened:
        yield opened


def hook(target: Target, **more) -> WebhookSettings:
    return WebhookSettings(target.url, SECRET, **{"timeout_s": 0.3, **more})


def short(events: list[dict]) -> list[str]:
    """``online ann``, ``occupied v1.room.7``, …"""
    return [
        f"{each['event']} {each.get('authid') or each.get('topic') or each.get('node', '')}".strip() for each in events
    ]


def figures(server: PublishServer) -> dict[str, float]:
    return server._webhooks.figures()


def come(node: Node, *users: str) -> None:
    for user in users:
        node.local.join(ROOM, user, 0)
    run([node], lambda: set(users) <= set(node.attending.presence.table.users(ROOM)))


def go(node: Node, *users: str) -> None:
    for user in users:
        node.local.leave(ROOM, user, has_left=True)
    run([node], lambda: not set(users) & set(node.attending.presence.table.users(ROOM)))


def test_a_backend_is_told_who_comes_and_goes_in_order(chosen, node, target):
    with serving(chosen, webhooks=[hook(target)]):
        come(node, "ann")
        come(node, "bob")
        go(node, "ann")
        go(node, "bob")
        wait_for(lambda: len(target.events) == 6, "six events")
    assert short(target.events) == [
        f"occupied {ROOM}",
        "online ann",
        "online bob",
        "offline ann",
        "offline bob",
        f"vacated {ROOM}",
    ]
    numbers = [int(each["position"].partition(":")[2]) for each in target.events]
    assert numbers == sorted(numbers)
    assert target.events[1].keys() == {"event", "position", "at", "topic", "authid", "info", "since"}


@pytest.mark.parametrize("trouble", [500, 404, 302, 401, "hang", "cut"])
def test_a_batch_is_sent_again_until_it_is_answered_with_2xx(chosen, node, target, trouble):
    target.script.extend([trouble] * 3)
    with serving(chosen, webhooks=[hook(target)]) as server:
        come(node, "ann")
        come(node, "bob")
        wait_for(lambda: len(target.events) == 3, "three events")
        wait_for(lambda: figures(server)["webhooks_waiting"] == 0, "nothing to wait")
        assert figures(server)["webhooks_failures"] == 3
    assert short(target.events) == [f"occupied {ROOM}", "online ann", "online bob"]
    assert len({target.bodies[i] for i in range(4)}) == 1


def test_a_200_whose_connection_is_cut_counts(chosen, node, target):
    target.script.append("cut after 200")
    with serving(chosen, webhooks=[hook(target)]) as server:
        come(node, "ann")
        come(node, "bob")
        wait_for(lambda: len(target.events) == 3, "three events")
        assert figures(server)["webhooks_failures"] == 0


def test_a_target_that_was_away_gets_all_of_it(chosen, node, target):
    with serving(chosen, webhooks=[hook(target)]) as server:
        come(node, "ann")
        wait_for(lambda: len(target.events) == 2, "two events")
        target.close()
        come(node, "bob")
        go(node, "ann")
        wait_for(lambda: figures(server)["webhooks_failures"] > 2, "three failures")
        assert figures(server)["webhooks_waiting"] > 0
        assert figures(server)["webhooks_oldest_age_s"] > 0
        target.open()
        wait_for(lambda: len(target.events) == 4, "four events")
        wait_for(lambda: figures(server)["webhooks_oldest_age_s"] == 0, "nothing to wait")
    assert short(target.events) == [f"occupied {ROOM}", "online ann", "online bob", "offline ann"]


def test_a_target_that_hangs_keeps_nobody_waiting(chosen, node, target):
    target.otherwise = "hang"
    with serving(chosen, webhooks=[hook(target, timeout_s=30)]):
        come(node, "ann")
        wait_for(lambda: target.requests == 1, "a request")
        come(node, "bob")
        go(node, "ann", "bob")


def test_a_restart_goes_on_where_it_was(chosen, node, target):
    with serving(chosen, webhooks=[hook(target)]):
        come(node, "ann", "bob")
        wait_for(lambda: len(target.events) == 3, "three events")
        target.otherwise = 500
        go(node, "ann")
        wait_for(lambda: target.statuses[-1] == 500, "a refusal")
    with serving(chosen, webhooks=[hook(target)]):
        target.otherwise = 200
        wait_for(lambda: len(target.events) == 4, "four events")
        come(node, "eve")
        wait_for(lambda: len(target.events) == 5, "five events")
    assert short(target.events) == [f"occupied {ROOM}", "online ann", "online bob", "offline ann", "online eve"]


def test_a_table_that_is_older_than_the_position_repeats_nothing(chosen, node, target):
    with serving(chosen, webhooks=[hook(target)]):
        come(node, "ann")
        wait_for(lambda: len(target.events) == 2, "two events")
        [table] = (chosen.data / "log").glob("webhook-*-table.json")
        before = table.read_bytes()
        come(node, "bob")
        wait_for(lambda: len(target.events) == 3, "three events")
    table.write_bytes(before)  # as after kill -9
    with serving(chosen, webhooks=[hook(target)]):
        go(node, "bob")
        wait_for(lambda: len(target.events) == 4, "four events")
    assert short(target.events)[2:] == ["online bob", "offline bob"]


@pytest.mark.parametrize("reason", ["lost", "trimmed", "epoch"])
def test_everybody_is_told_when_entries_are_missed(chosen, node, target, reason):
    with serving(chosen, webhooks=[hook(target)]):
        come(node, "ann", "bob")
        wait_for(lambda: len(target.events) == 3, "three events")
    files = list((chosen.data / "log").glob("webhook-*.json"))
    if reason == "lost":
        [table] = (file for file in files if "-table" in file.name)
        table.write_bytes(b"{")
    elif reason == "epoch":
        epoch = target.events[0]["position"].partition(":")[0].encode()
        for path in files:
            path.write_bytes(path.read_bytes().replace(epoch, b"another"))
    else:
        with serving(replace(chosen, retention_bytes=4000)) as server:
            while server._engine.floor < 20:
                come(node, "eve")
                go(node, "eve")
    with serving(chosen, webhooks=[hook(target)]) as server:
        wait_for(lambda: len(target.events) == 4, "a resync")
        resync = target.events[3]
        assert (resync["event"], resync["reason"], resync["part"], resync["last"]) == ("resync", reason, 0, True)
        assert [each["authid"] for each in resync["topics"][ROOM]] == ["ann", "bob"]
        assert figures(server)["webhooks_resyncs"] == 1
        go(node, "ann")
        wait_for(lambda: len(target.events) == 5, "an event after it")
    assert short(target.events)[4:] == ["offline ann"]


def test_a_new_webhook_is_told_who_is_there_already(chosen, node, target):
    with serving(chosen):
        come(node, "ann")
    with serving(chosen, webhooks=[hook(target)]):
        wait_for(lambda: target.events, "a resync")
    assert (target.events[0]["reason"], target.events[0]["topics"].keys()) == ("new", {ROOM})


def test_a_node_that_is_gone_and_its_users(chosen, node, target, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_S", 1.0)
    with serving(chosen, webhooks=[hook(target)]):
        come(node, "ann")
        wait_for(lambda: len(target.events) == 5, "its end, and that of its user")
    assert short(target.events)[2:] == ["node_gone node-1", "offline ann", f"vacated {ROOM}"]


def test_only_events_that_are_wanted_are_sent(chosen, node, target):
    with serving(chosen, webhooks=[hook(target, events=("vacated",))]):
        come(node, "ann")
        go(node, "ann")
        wait_for(lambda: target.events, "an event")
    assert short(target.events) == [f"vacated {ROOM}"]


def test_one_webhook_does_not_wait_for_another(chosen, node, target):
    with Target() as broken:
        broken.otherwise = 500
        with serving(chosen, webhooks=[hook(target), hook(broken)]):
            come(node, "ann")
            wait_for(lambda: len(target.events) == 2, "two events")
            assert not broken.events


def test_a_server_stops_while_a_target_hangs(chosen, node, target):
    target.otherwise = "hang"
    with serving(chosen, webhooks=[hook(target, timeout_s=60)]):
        come(node, "ann")
        wait_for(lambda: target.requests == 1, "a request")
        began = time.monotonic()
    assert time.monotonic() - began < 15


def test_pushes_to_a_feed_are_told_among_the_events(chosen, node, target):
    chosen_hook = hook(target, pushes=("v1.room", "v1.orders"))
    with serving(chosen, webhooks=[chosen_hook]) as server, Publisher(server.router_endpoint) as publisher:
        come(node, "ann")
        wait_for(lambda: len(target.events) == 2, "two events")
        publisher.push([ROOM, "v1.secret.1", "v1.orders.3"], "said", {"text": '"v1.orders.4'})
        publisher.push("v1.orders2.1", "no", '"v1.orders.5')
        publisher.push("v1.other.1", "no", {"v1.orders.": 1})
        position = publisher.push("v1.orders.3", "paid", 12345678901234567890)
        go(node, "ann")
        wait_for(lambda: len(target.events) == 6, "six events")
        target.otherwise = 500
        publisher.push("v1.orders.4", "late", None)
        wait_for(lambda: target.statuses[-1] == 500, "a refusal")
    with serving(chosen, webhooks=[chosen_hook]):
        target.otherwise = 200
        wait_for(lambda: len(target.events) == 7, "seven events")
    said, paid = target.events[2:4]
    assert said.pop("timestamp").endswith("Z")
    assert said.pop("position")
    assert said == {
        "event": "push",
        "topics": [ROOM, "v1.orders.3"],
        "type": "said",
        "data": {"text": '"v1.orders.4'},
    }
    assert (paid["position"], paid["data"]) == (position, 12345678901234567890)
    assert [each.get("type", each["event"]) for each in target.events[4:]] == ["offline", "vacated", "late"]
