"""Pusher clients on WebSockets of autobahn, without a router: how they open, are written to, and end."""

import json
import struct
import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from stork_node.broadcast.backlog import ReaderLimits
from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits
from stork_node.nodes.session_marks import SessionMarks
from stork_node.presence.table import OnlineUser, Room
from stork_node.process_state import singleton
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position
from stork_node.pusher.apps import App
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.counters import PusherCounters
from stork_node.pusher.settings import PusherLimits, PusherSettings
from tests.components.router_inside import Broadcaster, Inside, push
from tests.pusher import sign

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from stork_components.commands.obeying import Obeying
    from stork_components.pusher.online_users import SignedInUsers
    from stork_components.pusher.presence import ChannelPresence
    from stork_crossbar.limits import client_limits
    from stork_crossbar.pusher import sockets as sockets_module
    from stork_crossbar.pusher.protocol import PusherFactory
    from stork_crossbar.pusher.sockets import Sockets

APPS = (
    App("1", {"key": "app-secret"}, client_events=True),
    App("2", {"strict": "s"}, "two"),
    App("3", {"moved": "s"}, "three"),
    App("4", {"gone": "s"}, "four"),
    App("5", {"off": "s"}, "five"),
)
MOST = 103
SETTINGS = PusherSettings(APPS, activity_timeout_s=30, pong_timeout_s=30, limits=PusherLimits(connections=MOST))
HANDSHAKE = (
    b"GET %b HTTP/1.1\r\nHost: node.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Transport(StringTransport):
    """Aborts as a connection does, and is no producer's own."""

    aborted = False

    def __init__(self, host: str) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 1234))

    def unregisterProducer(self) -> None: ...  # noqa: N802  # Twisted's name

    def abortConnection(self) -> None:  # noqa: N802  # Twisted's name
        self.aborted = True


class Client:
    def __init__(self, factory: PusherFactory, target: bytes, host: str) -> None:
        self.transport: Any = Transport(host)
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(HANDSHAKE % target)
        self._data = b""
        head = self.transport.value().partition(b"\r\n\r\n")[0]
        assert head.startswith(b"HTTP/1.1 101")
        self._read = len(head) + 4
        self.codes: list[int] = []

    def frames(self) -> list[Any]:
        """The messages since the last look; close codes are in ``codes``."""
        data = self.transport.value()[self._read :]
        self._read += len(data)
        found = []
        while data:
            code, size, head = data[0] & 15, data[1], 2
            if size == 126:
                size, head = struct.unpack("!H", data[2:4])[0], 4
            message, data = data[head : head + size], data[head + size :]
            if code == 1:
                found.append(json.loads(message))
            else:
                assert code == 8
                self.codes.append(struct.unpack("!H", message[:2])[0])
        return found

    def says(self, event: str, **members: Any) -> list[Any]:
        message = json.dumps({"event": event, **members}).encode()
        size = bytes([0x80 | len(message)]) if len(message) < 126 else struct.pack("!BH", 0x80 | 126, len(message))
        self.protocol.dataReceived(b"\x81" + size + bytes(4) + message)  # a mask of zeros changes nothing
        return self.frames()

    def joins(self, channel: str) -> None:
        data = {"channel": channel}
        if channel.startswith("private-"):
            data["auth"] = "key:" + sign(f"{self.protocol.socket.connection.socket_id}:{channel}")
        self.says("pusher:subscribe", data=data)

    def signs_in(self, user: str, key: str = "key", secret: str = "app-secret") -> None:
        text = json.dumps({"id": user})
        socket_id = self.protocol.socket.connection.socket_id
        auth = f"{key}:" + sign(f"{socket_id}::user::{text}", secret)
        self.says("pusher:signin", data={"auth": auth, "user_data": text})

    def joins_as(self, channel: str, user_id: str, **info: Any) -> Any:
        text = json.dumps({"user_id": user_id, "user_info": info})
        auth = "key:" + sign(f"{self.protocol.socket.connection.socket_id}:{channel}:{text}")
        answers = self.says("pusher:subscribe", data={"channel": channel, "auth": auth, "channel_data": text})
        return json.loads(answers[0]["data"])["presence"]["hash"] if answers else None


class TableOfAll:
    """The table of presence as it looks from here; ``say`` is an entry of the log."""

    def __init__(self) -> None:
        self.here: Any = SimpleNamespace(
            followed=SimpleNamespace(is_known=True), table=SimpleNamespace(rooms={}, users=self.users)
        )
        self.told: list[Any] = []

    def users(self, topic: str) -> dict[str, OnlineUser]:
        room = self.here.table.rooms.get(topic)
        return room.users if room else {}

    def join(self, topic: str, user: str, wait_ms: int, info: bytes = b"null") -> bool:
        self.told.append(("join", topic, user, wait_ms, info))
        return True

    def leave(self, topic: str, user: str, has_left: bool = False) -> None:
        self.told.append(("leave", topic, user, has_left))

    def watch(self, watcher: Any) -> None:
        self.watcher = watcher

    def say(self, topic: str, online: dict[str, bytes], offline: tuple[str, ...] = ()) -> None:
        users = self.here.table.rooms.setdefault(topic, Room(0, {})).users
        users.update({user: OnlineUser(1, ("n",), info) for user, info in online.items()})
        for user in offline:
            del users[user]
        self.watcher(topic, list(online), list(offline))


class Hub:
    """The sockets of a process, with clients."""

    def __init__(self, reactor: Any) -> None:
        self.reactor, self.table, self.counters = reactor, singleton(ChannelTable), PusherCounters()
        self.pushed: list[Any] = []
        self.resumed: list[Any] = []
        self.kept: dict[str, list[tuple[bytes, str]]] = {}
        self.table_of_all = TableOfAll()
        self.relay: Any = SimpleNamespace(presence=self.table_of_all, broadcaster=None)
        self.presence = ChannelPresence(lambda: self.relay)
        self.users = SignedInUsers(self.presence.known)
        self.presence.watch(self.users.changed)
        self.presence.when_known(self.users.catch_up)
        self.told: list[Any] = []
        self.hooks = SimpleNamespace(tell=lambda app, event, /, **facts: self.told.append((app.id, event, facts)))
        self.asked: list[Any] = []
        self.sockets = Sockets(
            reactor,
            SETTINGS,
            self.table,
            self.counters,
            lambda *pushed: self.pushed.append(pushed),
            lambda topic: reversed(self.kept.get(topic, [])),
            lambda *resumed: self.resumed.append(resumed),
            self.presence,
            self.users,
            self.hooks,
            lambda *asked: self.asked.append(asked),
        )
        self.sockets.begin()
        self.factory = PusherFactory(self.sockets.opened)

    def connect(self, target: bytes = b"/app/key", host: str = "192.0.2.1") -> Client:
        return Client(self.factory, target, host)


@pytest.fixture
def inside():
    inside = Inside()
    yield inside
    inside.close()


@pytest.fixture
def hub(inside):
    return Hub(inside.reactor)


@pytest.fixture
def broadcaster(inside):
    return Broadcaster(inside.component, inside.reactor, limits=ReaderLimits(max_waiting_bytes=100_000))


def test_a_client_gets_its_socket_id(hub):
    client = hub.connect()
    [established] = client.frames()
    told = json.loads(established["data"])
    number = int(told["socket_id"].partition(".")[0])
    assert hub.table.sockets == {number: client.protocol.socket}
    assert told["activity_timeout"] == 30
    assert (hub.counters.opened, hub.sockets.figures.connections) == (1, 1)


def test_a_socket_that_is_gone_leaves_nothing_behind(hub):
    client = hub.connect()
    client.joins("a.1")
    assert len(hub.table) == 1
    client.protocol.connectionLost()
    assert (len(hub.table), hub.table.sockets) == (0, {})
    assert client.protocol.socket.is_open is False


def test_a_client_of_no_app_is_closed_at_once(hub):
    client = hub.connect(b"/app/nobody")
    [error] = client.frames()
    assert error["data"]["code"] == 4001
    assert client.codes == [4001]
    assert hub.counters.closed["4001"] == 1
    assert client.says("pusher:ping") == []


def test_more_clients_than_the_limit_are_held_and_told_to_come_back(hub):
    for _ in range(MOST):
        hub.connect()
    client = hub.connect()
    assert client.frames() == client.says("pusher:ping") == []
    hub.reactor.advance(4.9)
    assert client.codes == []
    hub.reactor.advance(10.2)
    [error] = client.frames()
    assert (error["data"]["code"], client.codes) == (4100, [4100])
    assert client_limits.bounds().counters.limited["connections"] == 1
    hub.table.sockets.popitem()
    assert hub.connect().frames()[0]["event"] == "pusher:connection_established"


def test_clients_that_come_too_fast_are_told_to_come_back_and_others_stay(hub):
    first = hub.connect()
    first.frames()
    before = client_limits.bounds().counters.limited["joins_per_second"]
    client_limits.bounds().set(ClientLimits(joins_per_second=1))
    try:
        hub.connect()
        client = hub.connect()
        hub.reactor.advance(15.1)
        [error] = client.frames()
        assert (error["data"]["code"], client.codes) == (4100, [4100])
        assert client_limits.bounds().counters.limited["joins_per_second"] == before + 1
        assert first.says("pusher:ping")[-1]["event"] == "pusher:pong"
    finally:
        client_limits.bounds().set(DEFAULT_LIMITS)


def test_clients_of_one_address_that_come_too_fast_leave_room_for_others(hub):
    before = client_limits.bounds().counters.limited["joins_per_second_per_address"]
    client_limits.bounds().set(ClientLimits(joins_per_second=4, joins_per_second_per_address=1))
    try:
        hub.connect()
        held = [hub.connect() for _ in range(8)]
        other = hub.connect(host="192.0.2.2")
        assert [frame["event"] for frame in other.frames()] == ["pusher:connection_established"]
        assert [client.frames() for client in held] == [[]] * 8
        assert client_limits.bounds().counters.limited["joins_per_second_per_address"] == before + 8
    finally:
        client_limits.bounds().set(DEFAULT_LIMITS)


def test_channels_of_an_address_are_counted_until_they_are_gone(hub):
    one, two, other = hub.connect(), hub.connect(), hub.connect(host="192.0.2.2")
    for client in (one, two, other):
        for channel in ("a", "b", "b"):
            client.joins(channel)
    assert hub.sockets.channels_of == {"192.0.2.1": 4, "192.0.2.2": 2}
    one.says("pusher:unsubscribe", data={"channel": "a"})
    one.says("pusher:unsubscribe", data={"channel": "a"})
    two.protocol.connectionLost()
    assert hub.sockets.channels_of == {"192.0.2.1": 1, "192.0.2.2": 2}
    one.protocol.connectionLost()
    other.protocol.connectionLost()
    assert hub.sockets.channels_of == {}


def test_a_node_that_cannot_write_events_holds_its_clients(hub):
    hub.table.unserved = "names are missing"
    client = hub.connect()
    hub.reactor.advance(15.1)
    [error] = client.frames()
    assert (error["data"]["code"], client.codes) == (4100, [4100])


def test_a_client_that_is_silent_is_pinged_and_then_closed(hub):
    silent, quick = hub.connect(), hub.connect()
    silent.frames()
    for _ in range(61):
        hub.reactor.advance(1)
    assert [frame["event"] for frame in silent.frames()] == ["pusher:ping"]
    assert quick.says("pusher:pong")[-1]["event"] == "pusher:ping"
    for _ in range(31):
        hub.reactor.advance(1)
    [error] = silent.frames()
    assert (error["data"]["code"], silent.codes) == (4201, [4201])
    assert hub.counters.closed["4201"] == 1
    assert quick.frames() == []
    for _ in range(31):
        hub.reactor.advance(1)
    assert [frame["event"] for frame in quick.frames()] == ["pusher:ping"]


def test_a_client_whose_bytes_are_not_read_yet_is_not_silent(hub):
    client = hub.connect()
    client.frames()
    client.protocol.reader = SimpleNamespace(has_unread=lambda protocol: protocol is client.protocol)
    for _ in range(200):
        hub.reactor.advance(1)
    assert client.frames() == []
    assert client.codes == []


def test_the_drain_tells_clients_to_come_back(hub):
    client = hub.connect()
    client.frames()
    [drained] = hub.sockets.clients()
    assert (drained.is_connected, drained.is_backend, drained.has_calls_in_flight) == (True, False, False)
    drained.close(1012, "the node restarts")
    [error] = client.frames()
    assert (error["data"], client.codes) == ({"code": 4200, "message": "the node restarts"}, [4200])
    client.protocol.connectionLost()
    assert drained.is_connected is False


def test_a_client_event_is_pushed_with_the_number_of_its_socket(hub):
    client = hub.connect()
    client.joins("private-a")
    assert client.says("client-x", channel="private-a", data=[1]) == []
    [(socket, number, event, topic)] = hub.pushed
    assert socket is client.protocol.socket
    assert hub.table.sockets[number] is socket
    assert (event.event, event.data, topic) == ("client-x", b"[1]", "pusher.private-~.a")


def test_a_cache_channel_begins_with_its_last_event(hub):
    kept = [b'{"type":"first","data":1}', b'{"type":"second","data":{}}', b'{"type":"client-x","data":2}']
    hub.kept["pusher.cache-price.1"] = [(event, f"e:{number}") for number, event in enumerate(kept)]
    old = b'{"type":"old","data":1,"timestamp":"%d-01-31T12:00:00.000Z"}'
    hub.kept["pusher.cache-price.3"] = [
        (old % 2026, "e:1"),
        (old % 2020, "e:2"),
        (b'{"type":"pusher:x","data":1}', "e:3"),
    ]
    hub.kept["pusher.cache-price.4"] = [(old % 9026, "e:1")]
    hub.kept["pusher.cache-price.2"] = [(kept[2], "e:7"), (b'{"type":"pusher:x","data":2}', "e:8")]
    client = hub.connect()
    client.frames()
    told = {
        "cache-price.3": "pusher:cache_miss",
        "cache-price.4": "old",
        "cache-price.1": "second",
        "cache-price.2": "pusher:cache_miss",
        "cache-a": "pusher:cache_miss",
    }
    for channel, event in told.items():
        succeeded, last = client.says("pusher:subscribe", data={"channel": channel})
        assert succeeded["event"] == "pusher_internal:subscription_succeeded"
        assert (last["event"], last["channel"]) == (event, channel)
    assert len(client.says("pusher:subscribe", data={"channel": "price.1"})) == 1


def test_socket_ids_are_never_given_twice_at_a_time(hub, monkeypatch):
    given = iter([(1, "1.1"), (1, "1.2"), (2, "2.1")])
    monkeypatch.setattr(sockets_module, "new_socket_id", lambda: next(given))
    hub.connect()
    hub.connect()
    assert set(hub.table.sockets) == {1, 2}


def test_changed_apps_count_for_the_clients_that_are_there(hub):
    clients = {key: hub.connect(b"/app/" + key) for key in (b"key", b"strict", b"moved", b"gone", b"off")}
    hub.sockets.take(
        replace(
            SETTINGS,
            apps=(
                App("1", {"new": "another"}),
                App("2", {"strict": "s"}, "two"),
                App("3", {"moved": "s"}, "elsewhere"),
                App("5", {"off": "s"}, "five", is_enabled=False),
            ),
        )
    )
    for client in clients.values():
        client.frames()
    codes = {key: client.codes for key, client in clients.items()}
    assert codes == {b"key": [], b"strict": [], b"moved": [4200], b"gone": [4001], b"off": [4003]}
    client = clients[b"key"]
    text = f"{client.protocol.socket.connection.socket_id}:private-a"
    for key, secret, event in (("key", "app-secret", "error"), ("new", "another", "succeeded")):
        auth = f"{key}:" + sign(text, secret)
        [answer] = client.says("pusher:subscribe", data={"channel": "private-a", "auth": auth})
        assert answer["event"].endswith(event)
    assert hub.connect().frames()[0]["data"]["code"] == 4001


# -- presence channels -------------------------------------------------------------------------------------------------

ROOM = "pusher.presence-~.a"


def test_members_are_told_of_each_other(hub, broadcaster):
    hub.relay.broadcaster = broadcaster
    ann, bob = hub.connect(), hub.connect()
    ann.frames()
    assert ann.joins_as("presence-a", "ann", n=1) == {"ann": {"n": 1}}
    hub.table_of_all.say(ROOM, {"ann": b'{"n":1}'})
    assert ann.frames() == []
    bob.frames()
    assert bob.joins_as("presence-a", "bob") == {"ann": {"n": 1}, "bob": {}}
    hub.table_of_all.say(ROOM, {"bob": b"{}"})
    [added] = ann.frames()
    assert (added["event"], added["channel"]) == ("pusher_internal:member_added", "presence-a")
    assert json.loads(added["data"]) == {"user_id": "bob", "user_info": {}}
    assert bob.frames() == []
    assert hub.presence.users(ROOM) == ["ann", "bob"]

    ann.says("client-x", channel="presence-a", data=1)
    assert hub.pushed[0][2].data == b'{"pusher:user_id":"ann","data":1}'
    bob.protocol.connectionLost()
    ann.says("pusher:unsubscribe", data={"channel": "presence-a"})
    hub.table_of_all.say(ROOM, {}, ("bob", "ann"))
    assert ann.frames() == []
    assert hub.table_of_all.told == [
        ("join", ROOM, "ann", 3000, b'{"n":1}'),
        ("join", ROOM, "bob", 3000, b"{}"),
        ("leave", ROOM, "bob", False),
        ("leave", ROOM, "ann", True),
    ]


def test_a_client_waits_where_the_members_are_not_known(hub):
    hub.table_of_all.here.followed.is_known = False
    client = hub.connect()
    client.frames()
    assert client.joins_as("presence-a", "ann") is None
    assert client.says("pusher:ping") == []
    hub.reactor.advance(15.1)
    assert [frame["data"]["code"] for frame in client.frames()] == client.codes == [4100]
    assert hub.presence.users(ROOM) == []
    assert list(hub.presence.channels("pusher", "")) == []


def test_a_disconnect_does_not_wait_for_a_member(commanded):
    client = commanded.connect()
    client.joins_as("presence-a", "ann")
    commanded.settle()
    assert commanded.obey("disconnect", authid="ann") == {"sessions": 1}
    client.frames()
    client.protocol.connectionLost()
    assert client.codes == [4009]
    assert commanded.hub.table_of_all.told[-1] == ("leave", ROOM, "ann", True)


# -- commands ----------------------------------------------------------------------------------------------------------


class Commanded:
    """Clients and what obeys; commands up to e:10 came before them."""

    def __init__(self, hub: Hub, broadcaster: Any) -> None:
        self.hub, self.marks = hub, singleton(SessionMarks)
        self.marks.obeyed = Position("e", 10)
        self.obeying = Obeying(broadcaster, self.marks)

    def connect(self, *channels: str, user: str = "", target: bytes = b"/app/key", is_settled: bool = True) -> Client:
        client = self.hub.connect(target)
        for channel in channels:
            client.joins(channel)
        if user:
            client.signs_in(user, *(("strict", "s") if b"strict" in target else ()))
        if is_settled:
            self.settle()
        client.frames()
        return client

    def settle(self, tail: int = 10) -> None:
        self.marks.lease_sent(1)
        self.marks.lease_answered(1, Position("e", tail))

    def obey(self, kind: Any, at: int = 11, **fields: Any) -> dict[str, int]:
        counts = self.obeying.obey(Command(kind, **fields), Position("e", at))
        self.marks.obeyed = Position("e", at)
        return counts


@pytest.fixture
def commanded(hub, broadcaster):
    return Commanded(hub, broadcaster)


def test_a_disconnect_of_a_user_is_final_for_its_connections(commanded, broadcaster):
    ann, other, nobody = commanded.connect("a.1", user="ann"), commanded.connect("a.1", user="bob"), commanded.connect()
    assert commanded.obey("disconnect", authid="ann", reason="signed out") == {"sessions": 1}
    [error] = ann.frames()
    assert (error["data"], ann.codes) == ({"code": 4009, "message": "signed out"}, [4009])
    broadcaster.deliver([push(12, "pusher.a.1", event=EVENT)])
    assert ann.frames() == nobody.frames() == []
    assert len(other.frames()) == 1


@pytest.mark.parametrize("kind", ["disconnect", "refresh"])
def test_a_user_without_a_mark_comes_back_at_once(commanded, kind):
    client = commanded.connect(user="ann", is_settled=False)
    assert commanded.obey(kind, authid="ann") == {"sessions": 1}
    [error] = client.frames()
    assert (error["data"]["code"], client.codes) == (4200, [4200])


def test_a_command_from_before_a_connection_does_nothing_to_it(commanded):
    client = commanded.connect(user="ann")
    assert commanded.obey("disconnect", at=10, authid="ann") == {"sessions": 0}
    assert client.codes == []


def test_refresh_by_the_number_of_a_socket(commanded):
    client, other = commanded.connect(), commanded.connect()
    number = int(client.protocol.socket.connection.socket_id.partition(".")[0])
    assert commanded.obey("refresh", session=number) == {"sessions": 1}
    client.frames()
    assert (client.codes, other.codes) == ([4200], [])


def test_disconnect_by_role_and_by_topic(commanded):
    one, two = commanded.connect("a.1"), commanded.connect("a.2")
    assert commanded.obey("disconnect", role="admin") == {"sessions": 0}
    assert commanded.obey("disconnect", topic="pusher.a.1") == {"sessions": 1}
    one.frames()
    assert (one.codes, two.codes) == ([4009], [])
    assert commanded.obey("disconnect", role="frontend", at=12)["sessions"] >= 1
    two.frames()
    assert two.codes == [4009]


def test_the_own_topic_of_a_user_names_that_user_of_one_app(commanded):
    mine, other, foreign = (
        commanded.connect(user="ann"),
        commanded.connect("#server-to-user-bob", user="bob"),
        commanded.connect(user="ann", target=b"/app/strict"),
    )
    assert commanded.obey("disconnect", topic="pusher.~user.ann") == {"sessions": 1}
    for client in (mine, other, foreign):
        client.frames()
    assert (mine.codes, other.codes, foreign.codes) == ([4009], [], [])


def test_unsubscribe_ends_channels_and_tells_the_client(commanded, broadcaster):
    client = commanded.connect("private-room.1", "a.1", user="ann")
    assert commanded.obey("unsubscribe", feed="pusher.private-room", reason="room closed") == {
        "sessions": 1,
        "subscriptions": 1,
    }
    [told] = client.frames()
    assert (told["event"], told["channel"]) == ("pusher:subscription_error", "private-room.1")
    assert json.loads(told["data"]) == {"type": "Unsubscribed", "error": "room closed", "status": 403}
    broadcaster.deliver([push(12, "pusher.private-room.1", "pusher.a.1", event=EVENT)])
    assert [frame["channel"] for frame in client.frames()] == ["a.1"]
    client.joins("private-room.1")
    broadcaster.deliver([push(13, "pusher.private-room.1", event=EVENT)])
    assert [frame["channel"] for frame in client.frames()] == ["private-room.1"]


def test_a_signature_from_before_a_command_signs_nobody_in(commanded):
    client = commanded.connect()
    assert commanded.obey("disconnect", authid="ann") == {"sessions": 0}
    client.signs_in("ann")
    assert client.codes == [4200]
    later = commanded.connect(user="ann")
    assert later.codes == []


def test_what_a_client_says_while_it_is_ended_does_nothing(commanded):
    clients = [commanded.connect("cache-a.1") for _ in range(101)]
    commanded.obey("disconnect", role="frontend")
    last = next(client for client in clients if not client.frames())
    assert last.says("pusher:subscribe", data={"channel": "cache-a.2"}) == []
    commanded.hub.reactor.advance(0.2)
    assert [frame["event"] for frame in last.frames()] == ["pusher:error"]


def test_where_commands_were_missed_all_clients_are_cut(commanded):
    client = commanded.connect()
    commanded.obeying.lose(4010, "commands were missed")
    assert client.transport.aborted


# -- the broadcaster ---------------------------------------------------------------------------------------------------

EVENT = b'{"type":"paid","data":{"a":1},"timestamp":"2026-01-31T12:00:00.000Z"}'


def test_wamp_sessions_and_pusher_clients_get_a_push_each_in_their_form(inside, hub, broadcaster):
    session = inside.connect("pusher.orders.1")
    one, two = hub.connect(), hub.connect(b"/app/strict")
    one.joins("orders.1")
    two.joins("orders.1")
    broadcaster.deliver([push(1, "pusher.orders.1", event=EVENT), push(2, "two.orders.1", event=EVENT)])
    assert session.events() == ["e:1"]
    [event] = one.frames()
    assert event == {"event": "paid", "channel": "orders.1", "data": '{"a":1}', "position": "e:1"}
    assert [frame["position"] for frame in two.frames()] == ["e:2"]
    assert broadcaster.counters.deliveries == 3


def test_a_client_with_several_channels_gets_its_events_in_order(hub, broadcaster):
    client = hub.connect()
    for channel in ("a.1", "a.2"):
        client.joins(channel)
    client.frames()
    pushes = [push(number, f"pusher.a.{1 + number % 2}", event=EVENT) for number in range(1, 6)]
    broadcaster.deliver([*pushes, push(6, "pusher.a.2", "pusher.a.1", event=EVENT)])
    got = [(frame["position"], frame["channel"]) for frame in client.frames()]
    assert got == [(f"e:{n}", f"a.{1 + n % 2}") for n in range(1, 6)] + [("e:6", "a.2"), ("e:6", "a.1")]


def test_a_push_leaves_out_the_socket_that_it_excludes(hub, broadcaster):
    one, two = hub.connect(), hub.connect()
    for client in (one, two):
        client.joins("a.1")
        client.frames()
    [number, _] = hub.table.sockets
    broadcaster.deliver([push(1, "pusher.a.1", event=EVENT, exclude=(number, 77))])
    assert one.frames() == []
    assert len(two.frames()) == 1


def test_names_of_the_protocol_are_not_delivered(hub, broadcaster):
    client = hub.connect()
    client.joins("a.1")
    client.frames()
    broadcaster.deliver([push(1, "pusher.a.1", event=b'{"type":"pusher:error","data":null}')])
    assert client.frames() == []


def test_a_push_after_the_last_unsubscription_goes_nowhere(hub, broadcaster):
    client = hub.connect()
    client.joins("a.1")
    client.says("pusher:unsubscribe", data={"channel": "a.1"})
    broadcaster.deliver([push(1, "pusher.a.1", event=EVENT)])
    assert client.frames() == []


def test_an_event_that_cannot_be_written_cuts_its_clients_only(hub, broadcaster):
    client, other = hub.connect(), hub.connect()
    client.joins("a.1")
    other.joins("a.2")
    other.frames()
    broadcaster.deliver([push(1, "pusher.a.1", event=b'{"type":7}'), push(2, "pusher.a.2", event=EVENT)])
    assert len(other.frames()) == 1
    assert broadcaster.counters.unwritable == 1


def test_a_break_cuts_clients_with_channels_and_no_others(hub, broadcaster):
    client, idle = hub.connect(), hub.connect()
    client.joins("a.1")
    broadcaster.close_subscribers(4010, "pushes were missed")
    assert (client.transport.aborted, idle.transport.aborted) == (True, False)
    assert client.frames() == []
    broadcaster.deliver([push(1, "pusher.a.1", event=EVENT)])
    assert client.frames() == []


def test_a_router_that_traces_messages_serves_pusher_clients(inside, hub, broadcaster):
    inside.router._is_traced = True
    client = hub.connect()
    client.joins("a.1")
    client.frames()
    broadcaster.deliver([push(1, "pusher.a.1", event=EVENT)])
    assert len(client.frames()) == len(inside.published) == 1


def test_without_the_insides_pusher_clients_are_not_served(inside, hub, monkeypatch):
    monkeypatch.setattr("stork_components.broadcaster.fault", lambda _: "a name is missing")
    Broadcaster(inside.component, inside.reactor).deliver([push(1, "pusher.a.1", event=EVENT)])
    assert hub.table.unserved == "a name is missing"
