"""Counts for a whole deployment, of two nodes that answer each other."""

import asyncio
from types import SimpleNamespace
from typing import Any

from stork_components.pusher.counting import Counting
from stork_node.nodes.answers import Answers
from stork_node.pusher.apps import App
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.channels import Channel
from tests.components.router_inside import SimpleIdentity


class Nodes:
    """Both nodes; ``ask`` is that of the deployment."""

    def __init__(self) -> None:
        self.answerers: dict[str, dict[str, Any]] = {}
        self.tables = {name: ChannelTable() for name in ("node-1", "node-2")}
        self.presence: Any = SimpleNamespace(channels=self._channels, users=lambda _topic: ["ann"])
        self.members: dict[str, int] = {}
        for name, table in self.tables.items():
            own = self.answerers[name] = {}
            node: Any = SimpleNamespace(answer=own.__setitem__, ask=self.ask)
            self.counting: Any = Counting(table, self.presence, node)
        self.missing: list[str] = []

    def _channels(self, _version: str, prefix: str) -> Any:
        return [(Channel.parse(name), n) for name, n in self.members.items() if name.startswith(prefix)]

    async def ask(self, question: str, params: Any, *, node: str = "") -> Answers:
        asked = [name for name in self.answerers if node in ("", name) and name not in self.missing]
        return Answers({name: self.answerers[name][question](params) for name in asked}, self.missing)

    def join(self, node: str, *names: str, app: str = "1") -> None:
        socket = SimpleIdentity(connection=SimpleNamespace(app=App(app, {})))
        table = self.tables[node]
        table.sockets[len(table.sockets)] = socket
        for name in names:
            channel = Channel.parse(name)
            table.add(channel, channel.topic("pusher"), "pusher", socket)


def test_channels_of_all_nodes_are_counted_together():
    nodes = Nodes()
    nodes.join("node-1", "a.1", "private-b")
    nodes.join("node-2", "a.1")
    nodes.members["presence-c"] = 1
    found = asyncio.run(nodes.counting.channels("pusher", ""))
    assert found == {"a.1": 2, "private-b": 1, "presence-c": 0}
    assert asyncio.run(nodes.counting.channels("pusher", "p")) == {"private-b": 1, "presence-c": 0}
    assert asyncio.run(nodes.counting.channels("other", "a")) == {}


def test_many_channels_come_in_parts():
    nodes = Nodes()
    nodes.join("node-1", *(f"a.{number}" for number in range(450)))
    nodes.join("node-2", *(f"a.{number}" for number in range(200)))
    found = asyncio.run(nodes.counting.channels("pusher", "a"))
    assert found == {f"a.{number}": 1 + (number < 200) for number in range(450)}


def test_a_long_list_of_channels_is_one_list_and_is_told_in_turns():
    nodes = Nodes()
    nodes.join("node-1", *(f"a.{number}" for number in range(1_001)))
    table, walks, pauses = nodes.tables["node-1"], [], []
    walk = table.channels
    table.channels = lambda *asked: walks.append(asked) or walk(*asked)

    async def pause():
        pauses.append(len(walks))
        nodes.tables["node-1"].discard("pusher.a.999", next(iter(table.sockets.values())))

    nodes.counting.pause = pause
    found = asyncio.run(nodes.counting.channels("pusher", "a"))
    assert len(found) == 1_001
    assert found["a.999"] == 0  # it is gone meanwhile
    assert walks == [("pusher", "a")]
    assert len(pauses) == 5
    assert len(asyncio.run(nodes.counting.channels("pusher", "a"))) == 1_000


def test_subscriptions_and_connections_are_those_of_all_nodes():
    nodes = Nodes()
    for node, app in (("node-1", "1"), ("node-2", "1"), ("node-2", "2")):
        nodes.join(node, "a.1", app=app)
    topics = [f"pusher.a.{number}" for number in range(120)]
    assert asyncio.run(nodes.counting.subscriptions(topics)) == {topic: 3 * (topic == "pusher.a.1") for topic in topics}
    assert asyncio.run(nodes.counting.subscriptions([])) == {}
    assert asyncio.run(nodes.counting.connections("1")) == 2
    nodes.missing.append("node-2")
    assert asyncio.run(nodes.counting.connections("1")) == 1
