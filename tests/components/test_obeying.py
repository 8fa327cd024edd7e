"""What a command does to the sessions of a node, beside Crossbar's own subscriptions."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from stork_components.commands.obeying import Obeying
from stork_node.nodes.session_marks import SessionMarks
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position
from tests.components.router_inside import Broadcaster, Client, Inside, broadcaster_module, push

TOPIC = "v1.orders.42"


class Scene:
    """Clients of a node, a broadcaster, and what obeys."""

    def __init__(self, inside: Inside) -> None:
        self.inside, self.marks = inside, SessionMarks()
        self.broadcaster = Broadcaster(inside.component, inside.reactor)
        self.obeying = Obeying(self.broadcaster, self.marks)
        self.marks.obeyed = Position("e", 10)
        self.left: list[tuple[int, str, str]] = []
        self.revoked: list[tuple[int, str, str]] = []
        self.ended: dict[int, str] = {}
        inside.broker._unsubscribe = self._end
        inside.router.send = self._send

    def _end(self, subscription: Any, session: Any) -> None:
        self.inside.subscriptions.drop_observer(session, subscription)
        self.inside.broker._session_to_subscriptions[session].discard(subscription)
        self.ended[subscription.id] = subscription.uri

    def _send(self, session: Any, message: Any) -> None:
        assert message.request == 0
        self.revoked.append((session._session_id, self.ended[message.subscription], message.reason))

    def connect(self, *topics: str, authid: str = "7", role: str = "frontend", is_settled: bool = True) -> Client:
        client = self.inside.connect(*topics)
        session = client.session
        session._authid, session._authrole, session._goodbye_sent = authid, role, False
        session._session_roles = {"subscriber": SimpleNamespace(subscription_revocation=True)}
        session.leave = lambda reason, message: self.left.append((client.id, reason, message))
        self.marks.joined(client.id, self.marks.open())
        if is_settled:
            self.marks.lease_sent(client.id)
            self.marks.lease_answered(client.id, Position("e", 10))
        return client

    def obey(self, kind: Any, at: int = 11, **fields: Any) -> dict[str, int]:
        return self.obeying.obey(Command(kind, **fields), Position("e", at))


@pytest.fixture
def scene() -> Iterator[Scene]:
    inside = Inside()
    yield Scene(inside)
    inside.close()


def test_disconnect_says_goodbye_and_nothing_later(scene):
    out, other = scene.connect(TOPIC), scene.connect(TOPIC, authid="8")
    assert scene.obey("disconnect", authid="7", reason="signed out") == {"sessions": 1}
    scene.broadcaster.deliver([push(12, TOPIC)])
    assert scene.left == [(out.id, "io.virge.stork.disconnected", "signed out")]
    assert (out.events(), other.events()) == ([], ["e:12"])


def test_a_command_from_before_a_session_does_nothing_to_it(scene):
    client = scene.connect(TOPIC)
    assert scene.obey("disconnect", at=10, authid="7") == {"sessions": 0}
    scene.broadcaster.deliver([push(12, TOPIC)])
    assert (client.events(), scene.left, client.closed) == (["e:12"], [], None)


@pytest.mark.parametrize("kind", ["disconnect", "unsubscribe", "refresh"])
def test_a_session_of_which_nobody_knows_is_closed(scene, kind):
    client = scene.connect(TOPIC, is_settled=False)
    topic = {"topic": TOPIC} if kind == "unsubscribe" else {}
    assert scene.obey(kind, authid="7", **topic)["sessions"] == 1
    scene.broadcaster.deliver([push(12, TOPIC)])
    assert (client.closed, scene.left, client.events()) == ((4001, b"ask for a new ticket"), [], [])


def test_disconnect_by_topic_takes_whoever_gets_it(scene):
    exact, prefix, other = scene.connect(TOPIC), scene.connect(), scene.connect("v1.orders.43")
    prefix.subscribe("v1.orders.4", "prefix")
    assert scene.obey("disconnect", topic=TOPIC) == {"sessions": 2}
    assert {session_id for session_id, _, _ in scene.left} == {exact.id, prefix.id}
    assert other.closed is None


def test_by_session_and_by_role(scene):
    one, admin = scene.connect(), scene.connect(role="admin")
    assert scene.obey("refresh", session=one.id) == {"sessions": 1}
    assert scene.obey("refresh", session=987654321) == {"sessions": 0}
    assert one.closed == (4001, b"ask for a new ticket")
    assert scene.obey("disconnect", role="admin") == {"sessions": 1}
    assert scene.left == [(admin.id, "io.virge.stork.disconnected", "disconnected")]


def test_backends_and_components_are_bound_by_no_command(scene):
    backend = scene.connect(TOPIC, role="backend")
    assert scene.obey("disconnect", role="backend") == scene.obey("disconnect", topic=TOPIC) == {"sessions": 0}
    assert (backend.closed, scene.left) == (None, [])


def test_unsubscribe_ends_what_could_get_the_topic_or_feed(scene):
    one, two = scene.connect(TOPIC, "v1.user.7"), scene.connect(TOPIC, authid="8")
    one.subscribe("v1.orders.", "wildcard")
    assert scene.obey("unsubscribe", topic=TOPIC, authid="7") == {"sessions": 1, "subscriptions": 2}
    assert {(session_id, uri) for session_id, uri, _ in scene.revoked} == {(one.id, TOPIC), (one.id, "v1.orders.")}
    scene.broadcaster.deliver([push(12, TOPIC, "v1.user.7")])
    assert (one.events(), two.events()) == (["e:12"], ["e:12"])
    assert scene.obey("unsubscribe", feed="v1.orders", at=12) == {"sessions": 1, "subscriptions": 1}


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("orders.closed", "orders.closed"),
        ("", "io.virge.stork.unsubscribed"),
        ("no more", "io.virge.stork.unsubscribed"),
    ],
)
def test_the_reason_of_unsubscribed_is_a_uri(scene, reason, told):
    scene.connect(TOPIC)
    scene.obey("unsubscribe", topic=TOPIC, reason=reason)
    assert [reason for _, _, reason in scene.revoked] == [told]


def test_many_sessions_end_over_two_seconds(scene):
    clients = [scene.connect(TOPIC) for _ in range(250)]
    assert scene.obey("disconnect", authid="7") == {"sessions": 250}
    scene.broadcaster.deliver([push(12, TOPIC)])
    for ended in (100, 200, 250):
        assert len(scene.left) == ended
        scene.inside.reactor.advance(0.1)
    assert [client.events() for client in clients] == [[]] * 250


def test_where_each_event_is_published_those_who_are_ending_get_none(scene):
    out = scene.connect(TOPIC)
    scene.inside.router._is_traced = True
    scene.obey("disconnect", authid="7")
    scene.broadcaster.deliver([push(12, TOPIC)])
    [(_, options)] = scene.inside.published
    assert options["options"].exclude == [out.id]


def test_a_session_that_is_leaving_is_told_no_second_time(scene):
    client = scene.connect(TOPIC)
    client.session._goodbye_sent = True
    assert scene.obey("disconnect", authid="7") == {"sessions": 1}
    assert scene.left == []


def test_many_subscriptions_end_at_once_and_are_told_bit_by_bit(scene):
    other, clients = scene.connect(TOPIC, authid="8"), [scene.connect(TOPIC) for _ in range(250)]
    assert scene.obey("unsubscribe", topic=TOPIC, authid="7") == {"sessions": 250, "subscriptions": 250}
    told = {session_id for session_id, _, _ in scene.revoked}
    again = next(client for client in clients if client.id not in told)
    again.subscribe(TOPIC)
    scene.broadcaster.deliver([push(12, TOPIC)])
    assert [client for client in [other, *clients] if client.events()] == [other, again]
    for number in (100, 200, 249):  # who has subscribed again is told nothing
        assert len(scene.revoked) in (number, number - 1)
        scene.inside.reactor.advance(0.1)
    assert again.id not in {session_id for session_id, _, _ in scene.revoked}


def test_a_client_that_cannot_hear_of_it_is_not_told(scene):
    client = scene.connect(TOPIC)
    client.session._session_roles = {"subscriber": SimpleNamespace(subscription_revocation=None)}
    assert scene.obey("unsubscribe", topic=TOPIC) == {"sessions": 1, "subscriptions": 1}
    scene.broadcaster.deliver([push(12, TOPIC)])
    assert (client.events(), scene.revoked) == ([], [])


def test_forget_ends_nobody(scene):
    client = scene.connect(TOPIC)
    assert scene.obey("forget", authid="7") == {"sessions": 0, "answers": 0}
    assert (client.closed, scene.left) == (None, [])


def test_where_commands_were_missed_every_visitor_comes_back(scene):
    young, old, backend = scene.connect(), scene.connect(TOPIC, is_settled=False), scene.connect(role="backend")
    opening = scene.marks.open()
    scene.obeying.lose(4010, "commands were missed")
    assert young.closed == old.closed == (4010, b"commands were missed")
    assert backend.closed is None
    assert scene.marks.missed(opening, 1, "9", "frontend")


def test_where_sessions_cannot_be_read_a_command_ends_the_process(scene, monkeypatch):
    ended: list[str] = []

    def end(sentence: str) -> NoReturn:
        ended.append(sentence)
        raise SystemExit

    monkeypatch.setattr(broadcaster_module, "end_worker", end)
    monkeypatch.setattr(broadcaster_module, "fault", lambda _: "a fault")
    blind = Obeying(Broadcaster(scene.inside.component, scene.inside.reactor), scene.marks)
    assert blind.obey(Command("forget", authid="7"), Position("e", 11)) == {"sessions": 0, "answers": 0}
    with pytest.raises(SystemExit):
        blind.obey(Command("disconnect", authid="7"), Position("e", 12))
    assert ended == ["a command cannot be obeyed: a fault"]
