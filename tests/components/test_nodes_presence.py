"""Who is online: nodes without routers, beside a real publish server. Nodes freeze, die and begin."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace

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


def test_a_user_who_logs_out_right_after_coming_elsewhere_is_never_away(chosen, nodes):
    with serving(chosen):
        start(nodes, first=["ann"], second=["bob"])
        first, second = nodes
        for _ in range(3):
            join(second, "ann")
            first.local.leave(ROOM, "ann", has_left=True)
            join(first, "eve")
            run(nodes, agree(nodes, "ann", "bob", "eve"))
            first.local.leave(ROOM, "eve", has_left=True)
            run(nodes, agree(nodes, "ann", "bob"))
            first, second = second, first
            first.local.leave(ROOM, "bob", has_left=True)
            join(second, "bob")
            run(nodes, agree(nodes, "ann", "bob"))
        for node in nodes:
            assert {user for change in node.told for user in change.offline} == {"eve"}


def test_a_tab_is_closed_while_the_node_of_the_other_tab_dies(chosen, nodes):
    with serving(chosen):
        start(nodes, dead=["ann"], alive=["ann", "bob"])
        _, alive = nodes
        alive.local.leave(ROOM, "ann")
        run([alive], agree([alive], "bob"))
        assert [change.offline for change in alive.told if change.offline] == [["ann"]]


def test_a_node_that_begins_after_the_retention_has_the_users_of_before(chosen, nodes):
    with serving(replace(chosen, retention_bytes=4000)) as server:
        start(nodes, first=["ann"], second=["bob"])
        while server._engine.floor < 20:
            join(nodes[0], "eve")
            run(nodes, agree(nodes, "ann", "bob", "eve"))
            nodes[0].local.leave(ROOM, "eve", has_left=True)
            run(nodes, agree(nodes, "ann", "bob"))
        third = Node(chosen.pub, chosen.replay, "node-3")
        nodes.append(third)
        run(nodes, agree(nodes, "ann", "bob"))


def test_pages_that_are_loaded_again_are_no_changes(chosen, nodes):
    users = [f"user-{number}" for number in range(50)]
    with serving(chosen):
        start(nodes, first=users, second=[])
        for node in nodes:
            node.told.clear()
        for number in range(4):
            here, there = nodes if number % 2 == 0 else nodes[::-1]
            for user in users:
                here.local.leave(ROOM, user)
            there.turn()
            join(there, *users)
            run(nodes, lambda there=there: there.local.is_told)
        join(nodes[0], "mark")
        run(nodes, agree(nodes, "mark", *users))
        for node in nodes:
            assert node.told == [Change(ROOM, ["mark"], [])]


def test_a_deploy_of_three_nodes_makes_nobody_go(chosen, nodes):
    users = [f"user-{number}" for number in range(60)]
    with serving(chosen):
        nodes.append(Node(chosen.pub, chosen.replay, "node-3"))
        start(nodes, first=users[::3], second=users[1::3], third=users[2::3])
        watcher = nodes[2]
        for number in range(2):
            old, other = nodes[number], nodes[number + 1]
            moved = list(old.local._rooms[ROOM])
            old.close()
            nodes[number] = Node(chosen.pub, chosen.replay, f"node-{number + 1}")
            join(other, *moved)
            run(nodes, agree(nodes, *users))
        assert not any(change.offline for change in watcher.told)
