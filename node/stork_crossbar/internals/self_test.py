"""
Checks at a node's start that the private names used by ``broadcasting`` exist and behave as expected.

It runs once, on objects made for the test and on the component's own session. After an upgrade that breaks a check,
events go through Crossbar's public publish: slower, and not wrong.
"""

import socket
from typing import Any

from autobahn.wamp import message
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from crossbar.router.observation import UriObservationMap
from crossbar.router.protocol import WampWebSocketServerProtocol
from twisted.internet.tcp import Server

from stork_crossbar.internals import broadcasting
from stork_crossbar.internals.private_names import BROADCASTER, missing
from stork_node.protocol.wamp_events import FRAMES, Content

_SERIALIZERS = (JsonSerializer, MsgPackSerializer, CBORSerializer)
_TOPIC = "v1.self.test"
_EVENT = b'{"type":"t","data":[1,-1.5,null,"\xc3\xa4"],"timestamp":"2026-01-31T12:00:00.000Z"}'


def fault(component: Any) -> str | None:
    """The first failed check, for the log; None if all is as expected. ``component`` is embedded in the router."""
    if absent := missing([BROADCASTER]):
        return f"there is no {absent[0]}"
    try:
        _check_router(component)
        _check_subscriptions()
        _check_options()
        for serializer in _SERIALIZERS:
            _check_frames(serializer())
        _check_buffer()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _expect(fact: bool, what: str) -> None:
    if not fact:
        raise AssertionError(what)


def _check_router(component: Any) -> None:
    router = broadcasting.Router(component)
    session_id = component._session_id
    session = router.session(session_id)
    _expect(session is component, "the router does not know its component by its session id")
    _expect(broadcasting.is_embedded(session), "the component's transport is not as known")
    _expect(router.is_attached(session), "the broker does not know the router's sessions")
    _expect(broadcasting.transport(session) is component._transport, "a session has no transport")
    _expect(broadcasting.descriptor(component._transport) is None, "an embedded session has a socket")
    _expect(not [each for each in router.subscriptions() if each[0] is component], "a component came from outside")
    _expect(isinstance(router.match(_TOPIC), list), "the subscriptions of a topic are not a list")
    _expect(router.wants_each_message in (True, False), "whether messages are traced cannot be told")
    router.count_sent(0)


def _check_options() -> None:
    """The options that decide about direct writing are among those that each WebSocket gets from its transport."""
    options = {*WampWebSocketServerProtocol.CONFIG_ATTRS_COMMON, *WampWebSocketServerProtocol.CONFIG_ATTRS_SERVER}
    _expect({"autoFragmentSize", "maskServerFrames"} <= options, "a WebSocket's options have other names")


def _check_subscriptions() -> None:
    observations = UriObservationMap()
    observer = object()
    patterns = [(_TOPIC, "exact"), ("v1.self.", "prefix"), ("v1..test", "wildcard")]
    for uri, match in patterns:
        observations.add_observer(observer, uri, match)
    found = observations.match_observations(_TOPIC)
    _expect([(each.uri, each.match) for each in found] == patterns, "subscriptions do not match as known")
    _expect(all(observer in each.observers and each.id > 0 for each in found), "subscriptions are not as known")


class _Factory:
    isServer = True


class _Transport(list[bytes]):
    write = list.append


class _Traffic:
    outgoingOctetsAppLevel = outgoingOctetsWebSocketLevel = outgoingOctetsWireLevel = 0
    outgoingWebSocketFrames = outgoingWebSocketMessages = 0


class _Session:
    _authid = _session_id = None


def _check_frames(serializer: Any) -> None:
    """Crossbar's own code sends an EVENT with the same bytes as ``FRAMES``."""
    protocol = WampWebSocketServerProtocol()
    protocol.factory, protocol.transport, protocol.trafficStats = _Factory(), _Transport(), _Traffic()
    protocol._session, protocol._serializer = _Session(), serializer
    protocol.peer, protocol.state = "self test", protocol.STATE_OPEN
    protocol.send_queue, protocol.trackedTimings, protocol._perMessageCompress = [], None, None
    protocol.logFrames = protocol.logOctets = False
    protocol.autoFragmentSize = protocol.maxMessagePayloadSize = 0
    protocol.maskServerFrames = False
    content = Content(_EVENT, "e:1")
    frame = FRAMES[serializer.SERIALIZER_ID]
    for topic in (None, _TOPIC):
        event = message.Event(7, 2**53, args=content.args(), kwargs={"position": "e:1"}, topic=topic)
        protocol.send(event)
        expected = frame(7, 2**53, topic, content)
        _expect(b"".join(protocol.transport) == expected, f"{serializer.SERIALIZER_ID} is framed in another way")
        protocol.transport.clear()


class _Reactor:
    """A reactor that reads and writes nothing by itself."""

    def addReader(self, _: Any) -> None: ...

    addWriter = removeReader = removeWriter = addReader

    def callLater(self, *_: Any) -> None: ...


class _Protocol:
    """The protocol of a connection that reads nothing."""


def _check_buffer() -> None:
    """Twisted's buffer of a connection: its size is known, it keeps the order, and it can be freed."""
    ours, theirs = socket.socketpair()
    try:
        tcp = Server(ours, _Protocol(), ("self test", 0), None, 0, _Reactor())
        over = _Over(tcp)
        connection = broadcasting.DirectConnection(None, over, tcp, "json")
        _expect(connection.is_idle() and not tcp.TLS, "a new connection is not idle")
        _expect(broadcasting.descriptor(over) is tcp, "the socket's holder is not found")
        tcp.write(b"first ")
        tcp.write(b"second")
        _expect(
            not connection.is_idle() and broadcasting.waiting_bytes(over, tcp) == 12, "what waits is counted otherwise"
        )
        tcp.doWrite()
        _expect(connection.is_idle() and broadcasting.waiting_bytes(over, tcp) == 0, "what was sent still waits")
        _expect(connection.send(b" third") == 6, "a socket takes nothing")
        _expect(theirs.recv(100) == b"first second third", "something else arrives than was written")
        large = bytes(4 * 1024 * 1024)
        left = connection.write_rest(large, connection.send(large))
        _expect(
            left > 0 and broadcasting.waiting_bytes(over, tcp) == left,
            "what a socket does not take is counted otherwise",
        )
        broadcasting.abort(over, tcp)
        _expect(connection.is_idle() and broadcasting.waiting_bytes(over, tcp) == 0, "a buffer is not freed")
    finally:
        ours.close()
        theirs.close()


class _Over:
    """A WAMP transport over a TCP connection."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
