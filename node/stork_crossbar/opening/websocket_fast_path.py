"""
The HTTP of Crossbar's web transports is read by ``HttpChannel``: there is one way to a WebSocket, and a short one.

A stock web transport makes a channel, a request and its headers for each client, writes the request down again, and
hands it on; all of that stays until the garbage collector comes by.
"""

from typing import Any

from autobahn.twisted.resource import WebSocketResource
from crossbar.common.twisted.endpoint import _CountedConnection
from crossbar.common.twisted.web import Site
from crossbar.webservice.base import Resource404
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from twisted.web.server import Site as TwistedSite
from zope.interface import classImplements

from stork_crossbar.compat import require_signature
from stork_crossbar.http.channel import HttpChannel
from stork_crossbar.http.request import ShortRequest
from stork_crossbar.http.request_channel import check_twisted
from stork_crossbar.http.rules import Rules
from stork_crossbar.internals import broadcasting
from stork_crossbar.opening.entrance import entrance
from stork_crossbar.opening.unjoined import Step


def read_http_here() -> None:
    """
    Have the sites of this process read HTTP so.

    Raises:
        Incompatible: it cannot be; a node with the bounds of Twisted's own HTTP alone must not start.
    """
    check_twisted()
    require_signature(TwistedSite.buildProtocol, "self", "addr")
    require_signature(WebSocketResource.__init__, "self", "factory")
    require_signature(Resource404.render_GET, "self", "request")
    require_signature(_CountedConnection.makeConnection, "self", "transport")
    rules = Rules(websocket=_websocket, asked=_asked)
    Site.requestFactory = ShortRequest
    Site.buildProtocol = lambda site, address: HttpChannel(site, address, rules)
    # Nothing is bounded in HTTP/2 here, and autobahn has no WebSockets in it.
    Site.acceptableProtocols = lambda _site: [b"http/1.1"]
    Resource404.render_GET = _not_found
    _CountedConnection.readConnectionLost = _read_lost
    _CountedConnection.writeConnectionLost = _write_lost
    classImplements(_CountedConnection, IHalfCloseableProtocol)


def _asked(channel: Any) -> None:
    entrance.step(broadcasting.descriptor(channel), Step.ASKED)


def _websocket(resource: Any, address: Any) -> Any:
    return resource._factory.buildProtocol(address) if isinstance(resource, WebSocketResource) else None


def _not_found(_resource: Any, request: Any) -> bytes:
    """Crossbar's own page names its version, the folder and the process."""
    request.setResponseCode(404)
    return b"there is nothing here\n"


def _read_lost(counted: Any) -> None:
    """
    Crossbar's counter of connections stands between the transport and its protocol, and does not hand this on: a client
    that closes its own end when it has asked would get no answer.
    """
    protocol = IHalfCloseableProtocol(counted.wrappedProtocol, None)
    if protocol is None:
        counted.transport.connectionLost(Failure(ConnectionDone()))
    else:
        protocol.readConnectionLost()


def _write_lost(counted: Any) -> None:
    protocol = IHalfCloseableProtocol(counted.wrappedProtocol, None)
    if protocol is not None:
        protocol.writeConnectionLost()
