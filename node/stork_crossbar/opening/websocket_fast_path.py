"""
``HttpChannel`` reads the HTTP of Crossbar's web transports: there is only one way to a WebSocket, and it is short.

A stock web transport makes a channel, a request and its headers for each client. It writes the request out again, and
hands it on. All of that stays until the garbage collector runs.
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
    Make the sites of this process read HTTP in this way.

    Raises:
        Incompatible: that is impossible. A node with only the bounds of Twisted's own HTTP must not start.
    """
    check_twisted()
    require_signature(TwistedSite.buildProtocol, "self", "addr")
    require_signature(WebSocketResource.__init__, "self", "factory")
    require_signature(Resource404.render_GET, "self", "request")
    require_signature(_CountedConnection.makeConnection, "self", "transport")
    rules = Rules(websocket=_websocket, asked=_asked)
    Site.requestFactory = ShortRequest
    Site.buildProtocol = lambda site, address: HttpChannel(site, address, rules)
    # HTTP/2 has no bounds here, and autobahn has no WebSockets in it.
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
    """A short 404: Crossbar's own page shows its version, the folder and the process."""
    request.setResponseCode(404)
    return b"there is nothing here\n"


def _read_lost(counted: Any) -> None:
    """
    Hand on that the client has closed its end. Crossbar's counter of connections, between the transport and its
    protocol, does not do that: the client would get no answer to its request.
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
