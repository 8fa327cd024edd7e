"""
Each subscriber gets each push once and in order, or is told: random interleavings of all that can go wrong.

The world is ``relay_model``; what is tested in it is the real core of the relay, with clients
by docs/delivery.md#the-clients-algorithm.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from stork_node.protocol.bus import Heartbeat, PushFrame
from stork_node.protocol.positions import Position
from stork_node.relay.history_settings import HistorySettings
from stork_node.relay.recovery import Recovery
from tests.unit.relay_model import TIMESTAMP, TOPICS, World

node_numbers = st.integers(0, 1)
client_numbers = st.integers(0, 2)
few = st.integers(1, 6)


class Mild(RuleBasedStateMachine):
    """Faults that no subscriber has to be told of: the log reaches back, and so do the histories."""

    history: HistorySettings | None = HistorySettings(total_bytes=1 << 30)

    @initialize()
    def start(self):
        self.world = World(self.history)
        self.world.heal()

    @rule(topics=st.lists(st.sampled_from(TOPICS), min_size=1, max_size=3, unique=True), number=few)
    def push(self, topics, number):
        for _ in range(number):
            self.world.push(tuple(topics))

    @rule(topic=st.sampled_from(TOPICS))
    def push_unstored(self, topic):
        self.world.push((topic,), store=False)

    @rule()
    def entry_of_a_newer_release(self):
        self.world.publish(self.world.log.other())

    @rule()
    def heartbeat(self):
        self.world.publish(self.world.log.heartbeat())

    @rule(node=node_numbers, number=few)
    def bus_brings(self, node, number):
        self.world.nodes[node].receive(number, self.world.now)

    @rule(node=node_numbers, number=few)
    def bus_loses(self, node, number):
        for _ in range(min(number, len(self.world.nodes[node].bus))):
            self.world.nodes[node].bus.popleft()

    @rule(node=node_numbers, number=few)
    def bus_repeats(self, node, number):
        bus = self.world.nodes[node].bus
        bus.extend(list(bus)[:number])

    @rule(topic=st.sampled_from(TOPICS), node=node_numbers)
    def push_and_lose(self, topic, node):
        self.world.push((topic,))
        self.world.nodes[node].bus.pop()

    @rule(node=node_numbers)
    def node_works(self, node):
        self.world.nodes[node].work(self.world.now)

    @rule(client=client_numbers, node=node_numbers)
    def client_comes_back(self, client, node):
        self.world.clients[client].connect(self.world.nodes[node])
        self.world.clients[client].recover()

    @rule(node=node_numbers)
    def server_answers(self, node):
        self.world.nodes[node].serve_replay()

    @rule(node=node_numbers)
    def page_comes(self, node):
        self.world.nodes[node].get_page(self.world.now)

    @rule(node=node_numbers)
    def page_is_lost(self, node):
        self.world.nodes[node].lose_replay()

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0]))
    def time_passes(self, seconds):
        self.world.pass_time(seconds)

    @rule()
    def server_restarts(self):
        self.world.log.restart()

    @rule(client=client_numbers, node=node_numbers)
    def client_connects(self, client, node):
        self.world.clients[client].connect(self.world.nodes[node])

    @rule(client=client_numbers)
    def client_is_cut(self, client):
        self.world.clients[client].disconnect()

    @rule(client=client_numbers)
    def client_recovers(self, client):
        self.world.clients[client].recover()

    @rule(node=node_numbers)
    def node_beats(self, node):
        self.world.nodes[node].beat()

    @rule(node=node_numbers, epoch=st.sampled_from(["epoch1", "other"]), sequence=st.integers(0, 20))
    def another_server_is_on_the_bus(self, node, epoch, sequence):
        position = Position(epoch, sequence)
        event = b'{"type":"foreign","data":null,"timestamp":"%b"}' % TIMESTAMP.encode()
        bus = self.world.nodes[node].bus
        bus.append(PushFrame(position, "foreign run", TOPICS, (), True, event))
        bus.append(Heartbeat(position, "foreign run", TIMESTAMP, {}))

    def teardown(self):
        self.world.check()


class Told(Mild):
    """… and those after which a subscriber has to be told."""

    history = None  # the model's, which are short

    @rule(topic=st.sampled_from(TOPICS))
    def erase(self, topic):
        self.world.publish(self.world.log.erase(topic))

    @rule(number=few)
    def log_forgets(self, number):
        self.world.log.retain(self.world.log.floor + number)

    @rule()
    def log_begins_a_new_epoch(self):
        self.world.log.new_epoch()

    @rule(node=node_numbers)
    def node_restarts(self, node):
        self.world.nodes[node].start()

    @rule(back=few, node=node_numbers)
    def log_is_replaced_by_an_older_copy(self, back, node):
        """Before the first push, a relay asks that has seen as much as any client (docs/delivery.md#position)."""
        log, witness = self.world.log, self.world.nodes[node]
        tail = max(0, log.tail - back)
        seen = [
            at.sequence
            for client in self.world.clients
            for at in client.positions.values()
            if at and at.epoch == log.epoch
        ]
        position = witness.stream.position
        if not position or position.epoch != log.epoch or position.sequence <= tail:
            return
        if position.sequence < max(seen, default=0):
            return
        log.restore(tail)
        witness.bus.append(log.heartbeat())
        for _ in range(10):
            self.world.pass_time(11.0)
            witness.receive(len(witness.bus), self.world.now)
            witness.serve_replay()
            witness.get_page(self.world.now)
            witness.bus.append(log.heartbeat())
        assert log.epoch != position.epoch


class NeverToldWithoutNeed(Mild):
    """No client that was told where it stands is told again."""

    def teardown(self):
        super().teardown()
        for client in self.world.clients:
            assert client.times_told == len(TOPICS), "a client was told of a gap that there was not"


budget = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestMildFaults = NeverToldWithoutNeed.TestCase
TestMildFaults.settings = budget
TestAllFaults = Told.TestCase
TestAllFaults.settings = budget


def lose_some_beyond_the_log(world):
    """A client is away while the log forgets what its node has missed."""
    [node, _], client = world.nodes, world.clients[0]
    client.connect(node)
    world.heal()
    for _ in range(5):
        world.push(("v1.a.1",))
    node.bus.clear()
    world.log.retain(world.log.tail - 1)
    world.check()


def test_the_check_finds_a_recover_that_always_says_true(monkeypatch):
    lose_some_beyond_the_log(World())
    monkeypatch.setattr(Recovery, "_is_complete", lambda *_: True)
    world = World()
    with pytest.raises(AssertionError):
        lose_some_beyond_the_log(world)


def test_the_check_finds_a_recover_that_always_says_false(monkeypatch):
    def be_away_for_a_moment():
        world = World(NeverToldWithoutNeed.history)
        world.heal()
        world.push(("v1.a.1",))
        world.clients[0].disconnect()
        world.check()
        return world.clients[0].times_told

    assert be_away_for_a_moment() == len(TOPICS)
    monkeypatch.setattr(Recovery, "_is_complete", lambda *_: False)
    assert be_away_for_a_moment() > len(TOPICS)
