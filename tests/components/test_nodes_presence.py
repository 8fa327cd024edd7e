"""Who is online: nodes without routers, beside a real publish server. Nodes freeze, die and begin."""

import shutil
from collections.abc import Callable, Iterator

import pytest

from stork_node.nodes import leases
from stork_node.presence.table import Change
from stork_node.publish_server import PublishServerSettings
from tests.components.routerless import Node, fixed_settings, run
from tests.components.served import serving

ROOM = "v1.room.7"
WAIT_MS = 600


@pytest.fixture
def chosen(tmp_path) -> PublishServerSettings:
    return fixed_settings(tmp_path)


@pytest.fixture
def nodes(chosen) -> Iterator[list[Node]]:
    found = [Node(chosen.pub, chosen.replay, f"node-{n}") for n in (1, 2)]
    yield found
    for node in found:
        node.close()


def join(node: Node, *users: str) -> None:
    for user in users:
        node.local.join(ROOM, user, WAIT_MS)


def online(node: Node) -> set[str]:
    return set(node.attending.presence.table.users(ROOM))


def is_ready(node: Node) -> bool:
    return node.attending.presence.is_ready(node.reactor.seconds())


def agree(nodes: list[Node], *users: str) -> Callable[[], bool]:
    return lambda: all(is_ready(node) and online(node) == set(users) for node in nodes)


def start(nodes: list[Node], **users) -> None:
    for node, here in zip(nodes, users.values(), strict=False):
        join(node, *here)
    run(nodes, agree(nodes, *(user for here in users.values() for user in here)))


@pytest.fixture(autouse=True)
def short_leases(monkeypatch) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 1.0)


def test_two_tabs_on_two_nodes_are_one_user(chosen, nodes):
    with serving(chosen):
        start(nodes, first=["ann"], second=["ann"])
        first, second = nodes
        first.local.leave(ROOM, "ann", has_left=True)
        join(first, "bob")
        run(nodes, agree(nodes, "ann", "bob"))
        second.local.leave(ROOM, "ann", has_left=True)
        run(nodes, agree(nodes, "bob"))
        for node in nodes:
            later = [change for change in node.told if change.online != ["ann"]]
            assert later == [Change(ROOM, ["bob"], []), Change(ROOM, [], ["ann"])]


def test_who_moves_to_another_node_is_never_away(chosen, nodes):
    with serving(chosen):
        start(nodes, first=["ann"], second=["bob"])
        first, second = nodes
        first.local.leave(ROOM, "ann")
        join(first, "eve")
        run(nodes, agree(nodes, "ann", "bob", "eve"))
        join(second, "ann")
        first.local.leave(ROOM, "eve")
        run(nodes, agree(nodes, "ann", "bob"))
        for node in nodes:
            assert [change.offline for change in node.told if change.offline] == [["eve"]]


def test_a_frozen_node_whose_users_have_moved(chosen, nodes):
    with serving(chosen):
        start(nodes, frozen=["ann", "eve"], awake=["bob"])
        frozen, awake = nodes
        before = frozen.attending._attachment.incarnation
        join(awake, "ann")
        run([awake], lambda: online(awake) == {"ann", "bob"})
        frozen.local.leave(ROOM, "ann")
        frozen.local.leave(ROOM, "eve")
        run(nodes, lambda: frozen.attending._attachment.incarnation != before)
        run(nodes, agree(nodes, "ann", "bob"))
        for node in nodes:
            assert [change.offline for change in node.told if change.offline] == [["eve"]]


def test_users_of_a_node_that_died_are_offline_after_their_wait(chosen, nodes):
    with serving(chosen):
        start(nodes, dead=["ann", "eve"], alive=["bob"])
        _, alive = nodes
        run([alive], agree([alive], "bob"))
        assert {user for change in alive.told for user in change.offline} == {"ann", "eve"}


def test_a_node_that_begins_has_the_table_of_the_others(chosen, nodes):
    with serving(chosen):
        start(nodes, first=["ann"], second=["bob"])
        third = Node(chosen.pub, chosen.replay, "node-3")
        nodes.append(third)
        run(nodes, agree(nodes, "ann", "bob"))
        assert third.told == []


def test_a_server_that_restarts_changes_nothing(chosen, nodes):
    with serving(chosen):
        start(nodes, first=["ann"], second=["bob"])
    first, second = nodes
    first.local.leave(ROOM, "ann")
    join(second, "ann")
    with serving(chosen):
        join(second, "eve")
        run(nodes, agree(nodes, "ann", "bob", "eve"))
        assert [node.breaks for node in nodes] == [0, 0]
        assert not any(change.offline for node in nodes for change in node.told)


def test_another_log_has_the_same_users(chosen, nodes):
    with serving(chosen):
        start(nodes, first=["ann"], second=["bob"])
    shutil.rmtree(chosen.data)
    with serving(chosen):
        run(nodes, lambda: all(node.breaks for node in nodes))
        run(nodes, agree(nodes, "ann", "bob"))
