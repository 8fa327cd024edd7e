"""
WebSockets without the HTTP that leads to them: the request is read once, by autobahn, and not by Twisted before.

A stock web transport makes a channel, a request and its headers for each client, finds the resource, writes the request
down again, and hands it on; all of that stays until the garbage collector comes by. Here a first segment that is a
whole and plain request for a WebSocket's path goes there at once. Whatever else comes, Twisted gets as it came.
"""

import re
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from crossbar.common.twisted.web import Site
from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Server
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.server import Site as TwistedSite

from stork_components.deadlines import Deadlines
from stork_node.known import expect

# No body, no lines that go on in the next one, no control characters: what all parsers read in one way.
_LINE = rb"[A-Za-z0-9-]+:[\t\x20-\x7e]*\r\n"
_PLAIN_REQUEST = re.compile(rb"GET /([A-Za-z0-9_-]+)(?:\?[\x21-\x7e]*)? HTTP/1\.1\r\n((?:%s){1,100})\r\n" % _LINE)
_OF_A_BODY = frozenset([b"content-length", b"transfer-encoding", b"expect"])
_MOST_BYTES = 16 * 1024


def websocket_name(segment: bytes) -> bytes | None:
    """The one name in the path, where ``segment`` is a whole and plain GET request; else None."""
    request = _PLAIN_REQUEST.fullmatch(segment) if len(segment) <= _MOST_BYTES else None
    if request is None:
        return None
    names = [line.partition(b":")[0] for line in request[2].lower().split(b"\r\n")]
    # Twisted makes one header of several with one name; autobahn refuses some.
    is_plain = len(set(names)) == len(names) and _OF_A_BODY.isdisjoint(names)
    return request[1] if is_plain else None


def upgrade_at_once() -> None:
    """Have the sites of this process look at the first segment of each connection."""
    expect(TwistedSite.buildProtocol, "self", "addr")
    expect(WebSocketResource.__init__, "self", "factory")
    ordinary = Site.buildProtocol
    deadlines: dict[float, Deadlines] = {}

    def build(site: Any, address: Any) -> Any:
        seconds = site.timeOut
        if seconds and seconds not in deadlines:
            deadlines[seconds] = Deadlines(reactor, seconds)
        return _FirstSegment(site, address, ordinary, deadlines.get(seconds))

    Site.buildProtocol = build


class _FirstSegment(Protocol):
    """In the place of the protocol that its client turns out to want."""

    def __init__(self, site: Any, address: Any, ordinary: Any, deadlines: Deadlines | None) -> None:
        self._site, self._address, self._ordinary, self._deadlines = site, address, ordinary, deadlines
        self._deadline: int | None = None
        self.transport: Any

    def logPrefix(self) -> str:
        return "HTTPChannel"

    def connectionMade(self) -> None:
        if type(self.transport) is not Server:  # TLS has its own ideas of the protocol
            self._become(self._ordinary(self._site, self._address))
        elif self._deadlines:
            self._deadline = self._deadlines.set(self.transport.loseConnection)

    def dataReceived(self, data: bytes) -> None:
        resource = self._site.resource.children.get(websocket_name(data))
        is_websocket = isinstance(resource, WebSocketResource)
        protocol = resource._factory.buildProtocol(self._address) if is_websocket else None
        protocol = protocol or self._ordinary(self._site, self._address)
        self._become(protocol)
        protocol.dataReceived(data)

    def connectionLost(self, _reason: Any = None) -> None:
        self._rest()

    def _become(self, protocol: Any) -> None:
        self._rest()
        transport, self.transport = self.transport, None
        over = transport if isinstance(transport, ProtocolWrapper) else transport.protocol  # TLS, or Crossbar's counter
        if isinstance(over, ProtocolWrapper):
            over.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        protocol.makeConnection(transport)

    def _rest(self) -> None:
        if self._deadlines and self._deadline is not None:
            self._deadlines.cancel(self._deadline)
            self._deadline = None
