"""Pusher's HTTP API through the channel of a public port: with a publish server that answers as a test wants."""

import json
import warnings
from dataclasses import replace
from types import SimpleNamespace

import pytest
from twisted.internet import defer
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from stork_node.api.pushes import Ids
from stork_node.clients.pending_pushes import StoredPosition
from stork_node.errors import PushRefused
from stork_node.process_state import singleton
from stork_node.protocol.commands.results import CommandResult
from stork_node.protocol.push import decode_push
from stork_node.pusher.apps import App, Apps
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import ClientEvent
from stork_node.pusher.counters import PusherCounters
from stork_node.pusher.data import by_member
from stork_node.pusher.webhooks.settings import AppWebhook
from tests.pusher import PusherBackend

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from autobahn.wamp.types import ComponentConfig

    from stork_components.pusher import Health, Pusher, PusherClients
    from stork_components.pusher.counting import Counting
    from stork_components.pusher.resource import PusherHttp
    from stork_components.questions.deployment import Deployment
    from stork_crossbar.connections import http_turns as turns
    from stork_crossbar.http.bounded_site import BoundedSite
    from stork_crossbar.http.rules import Rules

APP = App("1", {"app-key": "app-secret"})
EVENT = {"channel": "a.1", "name": "e", "data": "{}"}


class Link:
    """Takes pushes; ``outcome`` is the answer to each, and None leaves them open."""

    def __init__(self):
        self.pushes, self.outcome = [], StoredPosition("e:1")

    def send(self, pushes):
        self.pushes += pushes
        for push in pushes if self.outcome is not None else ():
            push.outcome = self.outcome
            push.take_outcome()

    def documents(self):
        return [decode_push(push.frame, "") for push in self.pushes]


class Node:
    """A public port with the three paths; ``talk`` sends bytes on a new connection, and returns what comes back."""

    def __init__(self):
        self.link, self.allowed, self.channels = Link(), 1_000, []
        self.table = singleton(ChannelTable)
        self.online = {"presence-a": ["ann", "7"]}
        presence = SimpleNamespace(users=self._users, channels=lambda _version, prefix: self._channels(prefix))
        self.pusher = SimpleNamespace(
            apps=Apps([APP]),
            counters=PusherCounters(),
            ids=Ids(),
            link=self.link,
            sockets=SimpleNamespace(table=self.table),
            counting=Counting(self.table, presence, singleton(Deployment)),
            may_push=lambda _key, pushes: pushes <= self.allowed,
        )
        root = Resource()
        root.putChild(b"apps", PusherHttp(lambda: self.pusher))
        root.putChild(b"app", PusherClients())
        root.putChild(b"up", Health())
        self.site = BoundedSite(root, Rules(websocket=_websocket))

    def _users(self, topic):
        return next((users for name, users in self.online.items() if Channel.parse(name).topic("pusher") == topic), [])

    def _channels(self, prefix):
        return [(Channel.parse(name), len(users)) for name, users in self.online.items() if name.startswith(prefix)]

    def talk(self, *pieces):
        transport = StringTransport()
        transport.unregisterProducer = lambda: None
        channel = self.site.buildProtocol(None)
        self.channels.append(channel)
        transport.protocol = channel
        channel.makeConnection(transport)
        for piece in pieces:
            channel.dataReceived(piece)
        return transport.value()

    def post(self, path, value, *headers):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        with PusherBackend(0) as backend:
            target = backend.target("POST", path, body)
        head = [f"POST {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
        return answer(self.talk("\r\n".join(head).encode() + body))

    def get(self, path, **parameters):
        with PusherBackend(0) as backend:
            target = backend.target("GET", path, **parameters)
        return answer(self.talk(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))


def _websocket(resource, address):
    """As ``websocket_fast_path`` does it."""
    return resource._factory.buildProtocol(address) if isinstance(resource, PusherClients) else None


def answer(data):
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


@pytest.fixture
def node(monkeypatch):
    monkeypatch.setattr(turns, "TURN_S", 60.0)  # no reactor runs that would begin another turn
    node = Node()
    yield node
    for channel in node.channels:
        channel.connectionLost()


def test_an_event_is_answered_when_it_is_stored(node):
    assert node.post("/events", EVENT | {"socket_id": "7.1"}) == (200, {})
    [push] = node.link.documents()
    assert (push.topics, push.type, push.data, push.exclude) == (("pusher.a.1",), "e", b"{}", (7,))
    assert push.id
    node.link.outcome = None
    with pytest.raises(IndexError):
        node.post("/events", EVENT)  # no answer yet
    assert node.pusher.counters.requests["200"] == 1


def test_an_id_of_the_backend_is_that_of_the_push(node):
    node.post("/events", EVENT, "Idempotency-Key: order-1")
    node.post("/events", EVENT | {"id": "order-2"})
    assert [push.id for push in node.link.documents()] == ["order-1", "order-2"]


@pytest.mark.parametrize(
    ("error", "status"), [("invalid_push", 400), ("id_reused", 400), ("storage_failed", 503), ("not_confirmed", 503)]
)
def test_a_push_that_fails_has_a_status(node, error, status):
    node.link.outcome = PushRefused(error, "it is so")
    assert node.post("/events", EVENT) == (status, {"error": "it is so", "code": status})
    assert node.post("/batch_events", {"batch": [EVENT, EVENT]})[0] == status


def test_a_batch_with_one_bad_event_sends_none(node):
    assert node.post("/batch_events", {"batch": [EVENT, EVENT | {"data": "\0"}]})[0] == 400
    assert node.post("/batch_events", {"batch": [EVENT, EVENT | {"channel": ""}]})[0] == 400
    assert node.link.pushes == []
    assert node.post("/batch_events", {"batch": []}) == (200, {})
    assert node.post("/batch_events", {"batch": [EVENT] * 1_000}) == (200, {})
    assert len({push.id for push in node.link.documents()}) == 1_000


def test_a_key_above_its_limit_is_told_to_wait(node):
    node.allowed = 1
    assert node.post("/events", EVENT)[0] == 200
    assert node.post("/batch_events", {"batch": [EVENT, EVENT]}) == (
        429,
        {"error": "this key has reached limits.pushes_per_second", "code": 429},
    )


def test_what_is_asked_of_channels_is_told(node):
    for name in ("a.1", "private-b", "#server-to-user-7"):
        channel = Channel.parse(name)
        node.table.add(channel, channel.topic("pusher"), "pusher", object())
    info = {"info": "subscription_count,user_count"}
    assert node.get("/channels") == (200, {"channels": {"a.1": {}, "private-b": {}, "presence-a": {}}})
    assert node.get("/channels", filter_by_prefix="private-", **info) == (
        200,
        {"channels": {"private-b": {"subscription_count": 1}}},
    )
    assert node.get("/channels/a.1", **info) == (200, {"occupied": True, "subscription_count": 1})
    assert node.get("/channels/nobody") == (200, {"occupied": False})
    assert node.post("/events", EVENT | info) == (200, {"channels": {"a.1": {"subscription_count": 1}}})
    batch = {"batch": [EVENT, EVENT | info]}
    assert node.post("/batch_events", batch) == (200, {"batch": [{}, {"subscription_count": 1}]})
    assert node.get("/connections") == (200, {"connections": 0})


def test_only_presence_channels_have_users(node):
    assert node.get("/channels/presence-a/users") == (200, {"users": [{"id": "ann"}, {"id": "7"}]})
    assert node.get("/channels/presence-b/users") == (200, {"users": []})
    counted = {"user_count": 2}
    assert node.get("/channels/presence-a", info="user_count") == (200, {"occupied": True, **counted})
    assert node.get("/channels/presence-b", info="user_count") == (200, {"occupied": False, "user_count": 0})
    channels = {"channels": {"presence-a": counted}}
    assert node.get("/channels", filter_by_prefix="presence-", info="user_count") == (200, channels)
    assert node.post("/events", EVENT | {"channel": "presence-a", "info": "user_count"}) == (200, channels)
    assert node.get("/channels/a.1/users")[0] == 400


def test_the_connections_of_a_user_are_ended_by_a_command(node):
    node.link.outcome = CommandResult("e:7", False, {"node-1": "pending"})
    assert node.post("/users/ann@x.org/terminate_connections", {}) == (200, {})
    assert node.post("/users/ann@x.org/terminate_connections", b"") == (200, {})
    first, second = (json.loads(push.frame) for push in node.link.pushes)
    assert (first["command"], first["topic"]) == ("disconnect", "pusher.~user.ann@x~2eorg")
    assert first["id"] != second["id"]
    node.link.outcome = PushRefused("storage_failed", "the disk is full")
    assert node.post("/users/ann/terminate_connections", {})[0] == 503
    assert node.post(f"/users/{'x' * 129}/terminate_connections", {})[0] == 400
    node.allowed = 0
    assert node.post("/users/ann/terminate_connections", {})[0] == 429


def test_a_head_without_a_signature_ends_it_before_a_large_body(node):
    head = b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    status, said = answer(node.talk(head % 1_000_000))
    assert (status, said["error"]) == (401, "the parameter auth_key is missing")
    assert answer(node.talk((head % 2) + b"{}"))[0] == 401
    assert answer(node.talk((head % 2).replace(b"/1/", b"/2/") + b"{}"))[0] == 404
    assert node.pusher.counters.requests["401"] == 2


def test_a_body_needs_a_length_and_has_a_maximum(node):
    with PusherBackend(0) as backend:
        target = backend.target("POST", "/events", b"{}").encode()
    head = b"POST %b HTTP/1.1\r\nHost: x\r\n" % target
    assert answer(node.talk(head + b"Transfer-Encoding: chunked\r\n\r\n"))[0] == 411
    assert answer(node.talk(head + b"Content-Length: 16777217\r\n\r\n"))[0] == 413


def test_each_request_of_a_connection_is_checked_again(node, monkeypatch):
    with PusherBackend(0) as backend:
        target = backend.target("GET", "/channels")
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    transport, channel = StringTransport(), node.site.buildProtocol(None)
    node.channels.append(channel)
    channel.makeConnection(transport)
    channel.dataReceived(request)
    monkeypatch.setattr("stork_components.pusher.resource.clock.wall", lambda: 0.0)
    channel.dataReceived(request)
    assert [line.split()[1] for line in transport.value().split(b"\r\n") if b"HTTP/1.1" in line] == [b"200", b"401"]


def test_a_node_without_apps_has_nothing_there(node):
    node.pusher = None
    assert node.get("/channels")[0] == 404
    assert answer(node.talk(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")) == (200, {"health": "OK"})


def test_a_websocket_opens_below_the_path_of_the_clients(node):
    handshake = (
        b"GET /app/nobody?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    data = node.talk(handshake)
    assert data.startswith(b"HTTP/1.1 101")
    assert b'"code":4001' in data


# -- the component -----------------------------------------------------------------------------------------------------


@pytest.fixture
def component():
    apps = [{"id": "1", "keys": [{"key": "app-key", "secret": "app-secret"}]}]
    pusher = Pusher(ComponentConfig("realm1", {"apps": apps, "limits": {"pushes_per_second": 2_000}}))
    vars(pusher)["link"] = Link()
    started = defer.ensureDeferred(pusher.start())
    assert started.called
    yield pusher
    pusher.sockets.end()
    pusher.counts.end()


def test_a_client_event_is_pushed_without_being_stored(component):
    sent = []
    connection = SimpleNamespace(app=component.apps.by_id("1"), socket_id="7.1")
    socket = SimpleNamespace(send=lambda frame: sent.append(json.loads(frame)["data"]["code"]), connection=connection)
    event = ClientEvent("client-x", "private-a", b"[1]")
    component.sockets.push(socket, 7, event, "pusher.private-~.a")
    [push] = component.link.documents()
    assert (push.topics, push.type, push.data) == (("pusher.private-~.a",), "client-x", b"[1]")
    assert (push.exclude, push.store, sent) == ((7,), False, [])
    assert component.counters.client_events == 1
    component.link.outcome = PushRefused("storage_failed", "the disk is full")
    component.sockets.push(socket, 7, event, "pusher.private-~.a")
    assert (sent, component.counters.client_events) == ([4301], 1)


def test_a_client_event_is_told_to_the_webhook_of_its_app(component):
    app = replace(component.apps.by_id("1"), webhooks=(AppWebhook("https://a.example/"),))
    socket = SimpleNamespace(send=None, connection=SimpleNamespace(app=app, socket_id="7.1"))
    event = ClientEvent("client-x", "presence-a", by_member("ann", b'{ "a": 1}'))
    component.sockets.push(socket, 7, event, "pusher.presence-~.a")
    _, told = component.link.documents()
    assert (told.topics, told.type, told.store) == (("pusher.~hook.~",), "client_event", True)
    assert json.loads(told.data) == {
        "name": "client_event",
        "channel": "presence-a",
        "event": "client-x",
        "data": '{ "a": 1}',
        "socket_id": "7.1",
        "user_id": "ann",
    }


def test_each_key_has_its_own_limit(component):
    assert component.may_push("one", 1_500)
    assert not component.may_push("one", 1_500)
    assert component.may_push("two", 1_500)
