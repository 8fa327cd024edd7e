"""The relay itself with commands: a router's insides, frames and pages by hand, and no publish server."""

from collections.abc import Iterator
from typing import Any

import pytest
from autobahn.wamp.types import CloseDetails, ComponentConfig
from twisted.internet import defer, reactor

from stork_components import relay as relay_module
from stork_components.relay import Relay
from stork_node.nodes.session_marks import SessionMarks
from stork_node.process_state import singleton
from stork_node.protocol.bus import encode_heartbeat, encode_push_frame
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import NodeAttached, StateEntry, encode_state_frame
from stork_node.protocol.commands.leases import Leased, encode_node_answer
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.protocol.replay import PageHeader, decode_request, encode_page
from tests.components.router_inside import Broadcaster, Inside

NOBODY = "tcp://127.0.0.1:1"
PUSH = Push(("v1.orders.42",), "t", b"1", "2026-01-31T12:00:00.000Z")


class RelayAlone(Relay):
    """A relay whose router only has sessions and subscriptions."""

    def __init__(self, inside: Inside) -> None:
        super().__init__(ComponentConfig("realm1", {"bus": NOBODY, "replay": NOBODY}))
        self._transport = inside.component._transport
        self.said: list[Any] = []
        self.starting = defer.ensureDeferred(self.start())
        self._following.link.say = self._keep

    def _keep(self, frame: bytes) -> bool:
        self.said.append(decode_request(frame))
        return True

    def register(self, *_args: Any, **_kwargs: Any) -> "defer.Deferred[None]":
        return defer.succeed(None)

    def subscribe(self, *_args: Any, **_kwargs: Any) -> "defer.Deferred[None]":
        return defer.succeed(None)

    def disconnect(self) -> None: ...

    def begin(self, after: int = 0, *, nodes: bool = True) -> None:
        """The first frame of the bus, and the first page."""
        self._following.take_frames([[encode_heartbeat(Position("e", after), "run", "2026-01-31T12:00:00.000Z", {})]])
        self._following.take_pages([encode_page(PageHeader("e", "run", 0, after, after, after, nodes=nodes), [])])

    def lose(self, *, nodes: bool = True) -> None:
        """A gap that replay cannot fill."""
        self.begin(99, nodes=nodes)

    def hear(self, sequence: int, content: StateEntry | Push) -> None:
        at = Position("e", sequence)
        is_push = isinstance(content, Push)
        frame = encode_push_frame(at, "run", content) if is_push else encode_state_frame(at, "run", content)
        self._following.take_frames([[frame]])


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    inside = Inside()
    monkeypatch.setattr(relay_module, "Broadcaster", lambda *_, **__: Broadcaster(inside.component, inside.reactor))
    yield inside
    inside.close()


@pytest.fixture
def relay(inside: Inside) -> Iterator[RelayAlone]:
    relay = RelayAlone(inside)
    yield relay
    relay.onLeave(CloseDetails())
    for call in reactor.getDelayedCalls():
        call.cancel()


def visitor(inside: Inside, *topics: str, is_settled: bool = True) -> Any:
    client, marks = inside.connect(*topics), singleton(SessionMarks)
    session = client.session
    session._authid, session._authrole, session._goodbye_sent = "7", "frontend", False
    session.left = []
    session.leave = lambda *said: session.left.append(said)
    marks.joined(client.id, marks.open())
    if is_settled:
        marks.lease_sent(0)
        marks.lease_answered(0, marks.obeyed or Position("e", 0))
    return client


def test_a_relay_obeys_between_events_and_reports(inside, relay):
    relay.begin()
    out = visitor(inside, "v1.orders.42")
    [lease, _] = relay.said
    relay.hear(1, NodeAttached(lease.incarnation, lease.name))
    relay.hear(2, PUSH)
    relay.hear(3, Command("disconnect", authid="7", reason="signed out"))
    relay.hear(4, PUSH)
    assert out.events() == ["e:2"]
    assert out.session.left == [("io.virge.stork.disconnected", "signed out")]
    relay._attending.say()
    assert [(report.command, report.counts) for report in relay.said[-2].reports] == [(3, {"sessions": 1})]
    assert (relay.counters.commands, relay.state().attached, str(relay.position)) == (1, 1, "e:4")
    assert singleton(SessionMarks).obeyed == relay.position


def test_an_answer_to_a_lease_settles_sessions(inside, relay):
    relay.begin()
    client = visitor(inside, is_settled=False)
    relay._attending.say()
    lease = relay.said[-2]
    relay._following.take_answers(
        [[encode_node_answer(Leased(lease.incarnation, lease.number, "e", "run", 0, "attached"))]]
    )
    relay._following.take_answers([[b"nonsense"]])
    relay.hear(1, Command("disconnect", session=client.id))
    assert (len(client.session.left), client.closed) == (1, None)
    assert relay.counters.refused == 1


def test_a_server_of_an_older_release_hears_of_no_node(inside, relay):
    client = visitor(inside)
    relay.begin(5, nodes=False)
    relay._attending.say()
    assert (relay.said, client.closed, relay.state().attached) == ([], None, 0)
    relay.lose(nodes=False)
    assert (relay.counters.breaks, client.closed) == (1, None)  # it has no subscription


def test_a_break_closes_every_visitor_where_there_are_commands(inside, relay):
    relay.begin()
    client = visitor(inside)
    opening = singleton(SessionMarks).open()
    relay.lose()
    assert client.closed == (4010, b"commands were missed")
    assert singleton(SessionMarks).missed(opening, 1, "8", "frontend")


@pytest.mark.parametrize(("after", "closed"), [(0, None), (5, (4010, b"commands were missed"))])
def test_clients_from_before_the_server_come_back_if_entries_are_missing(inside, relay, after, closed):
    client = visitor(inside)
    relay.begin(after)
    assert client.closed == closed


def test_the_relay_says_goodbye_when_it_leaves(inside):
    relay = RelayAlone(inside)
    relay.begin()
    relay.onLeave(CloseDetails())
    assert relay.said[-1].leaves
    for call in reactor.getDelayedCalls():
        call.cancel()
