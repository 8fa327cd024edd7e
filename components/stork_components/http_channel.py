"""
The HTTP of a client's connection, in place of Twisted's HTTPChannel: heads within bounds and a time, one request after
the other, no bodies but those that a resource asks for, and answers only as fast as they are read.

It is the ``channel`` of Twisted's requests, so that Twisted's and Crossbar's resources answer them as ever.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet import reactor
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Server
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.http import Request as HttpRequest
from twisted.web.server import Request, Site
from zope.interface import implementer

from stork_components import http_refusals
from stork_components.deadlines import Deadlines
from stork_components.descriptors import into_reserve
from stork_components.http_request import ShortRequest
from stork_node.http.heads import (
    MAX_HEAD_BYTES,
    METHOD_REFUSED,
    METHODS,
    Head,
    Refusal,
    Refused,
    end_of_head,
    read_head,
)
from stork_node.known import expect

REQUEST_TIMEOUT_S = 30.0
# For a client that does not close its own end, when it has been answered for the last time.
FAREWELL_S = 2.0

_farewells = Deadlines(reactor, FAREWELL_S)

_ONE_NAME = re.compile(rb"/([A-Za-z0-9_-]+)(?:\?.*)?")
# The part of the reserve in which a client has the time to read that it is refused.
_LINGERING = 0.5
_FULL = Refusal(503, "this node is full, try again later", "descriptors")
_NO_DESCRIPTORS = "clients are refused: the descriptors are used up (raise ulimit -n)"


def check_twisted() -> None:
    """
    Raises:
        NotAsKnown: Twisted's requests want another channel.
    """
    expect(HttpRequest.requestReceived, "self", "command", "path", "version")
    expect(HttpRequest.registerProducer, "self", "producer", "streaming")
    expect(Request.process, "self")
    expect(Request.render, "self", "resrc")


def _never(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Rules:
    """
    What a port adds.

    Args:
        check: refuses a request for another reason.
        websocket: for a resource and a client's address, the protocol that takes over; None for any other resource.
        keeps_reserve: whether clients here are strangers, who get none of the last descriptors.
    """

    check: Callable[[Head], Refusal | None] = _never
    websocket: Callable[[Any, Any], Any] = _never
    keeps_reserve: bool = True


@implementer(IHalfCloseableProtocol, IPushProducer)
class HttpChannel(Protocol):
    def __init__(self, site: Any, address: Any, rules: Rules) -> None:
        self.site = self.factory = site
        self._address, self._rules = address, rules
        self._timeouts = _deadlines(site.timeOut or REQUEST_TIMEOUT_S)
        self._deadline: tuple[Deadlines, int] | None = None
        self._received = bytearray()
        self._known = 0
        self._head: Head | None = None
        self._request: Any = None
        self._producer: Any = None
        self._pulls = self._is_registered = self._is_blocked = False
        self._is_paused = self._is_ending = self._has_eof = self._is_last = self._is_lost = False
        self.transport: Any

    def logPrefix(self) -> str:
        return "HTTP"

    @property
    def _channel(self) -> "HttpChannel":
        """By this name, Crossbar's universal transport sets the transport of a channel."""
        return self

    # -- the connection ------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        used = into_reserve(self.transport) if self._rules.keeps_reserve else 0.0
        if not used:
            self._wait()
            return
        http_refusals.say("descriptors", _NO_DESCRIPTORS)
        self._refuse(_FULL)
        if used > _LINGERING:
            # One that waits for its client to hear of it holds its descriptor.
            self._close_socket()

    def dataReceived(self, data: bytes) -> None:
        if self._is_ending:
            return
        if self._is_idle():
            self._set_deadline(self._timeouts, self._time_out)
        self._received += data
        if self._request is None and not self._is_blocked:
            self._read()
        elif len(self._received) > MAX_HEAD_BYTES and not self._is_paused:
            # A client that sends requests before it has its answers waits for them.
            self._is_paused = True
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        self._has_eof = True
        if self._request is None and not self._is_blocked:
            self._end()

    def writeConnectionLost(self) -> None:
        """All is sent, and it is the client's turn to close."""
        self._set_deadline(_farewells, self._close_socket)

    def connectionLost(self, reason: Any = None) -> None:
        self._is_ending = self._is_lost = True
        self._clear_deadline()
        self._producer = None
        if self._request is not None:
            request, self._request = self._request, None
            request.connectionLost(reason)

    def _end(self) -> None:
        """Close when all is sent, for which a client has its time."""
        self._is_ending = True
        self._unregister()
        if isinstance(self.transport, Server) and not self._has_eof:
            # Closing at once would throw away what is sent where the client still sends.
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()
        self._set_deadline(self._timeouts, self._close_socket)

    def _close_socket(self) -> None:
        """Without waiting for the client; what the kernel has it still sends, and what it does not take is given up."""
        transport = self.transport
        while isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        transport.loseConnection()
        self._set_deadline(_farewells, self._cut_slow_reader)

    # -- deadlines -----------------------------------------------------------------------------------------------------

    def _is_idle(self) -> bool:
        return not self._received and self._head is None and self._request is None and not self._is_blocked

    def _wait(self) -> None:
        """For the first byte of a request."""
        self._set_deadline(self._timeouts, self._give_up)

    def _give_up(self) -> None:
        self._is_ending = True
        self.transport.loseConnection()
        self._set_deadline(_farewells, self._close_socket)

    def _time_out(self) -> None:
        http_refusals.count("slow_request")
        self._give_up()

    def _cut_slow_reader(self) -> None:
        http_refusals.count("slow_reader")
        self.transport.abortConnection()

    def _set_deadline(self, deadlines: Deadlines, expired: Callable[[], None]) -> None:
        self._clear_deadline()
        if not self._is_lost:
            self._deadline = (deadlines, deadlines.set(expired))

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            deadlines, number = self._deadline
            deadlines.cancel(number)
            self._deadline = None

    # -- requests ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Take one request out of what has come, if it is whole."""
        try:
            head = self._head = self._head or self._read_head()
        except Refused as error:
            self._refuse(error.refusal)
            return
        size = head.body_bytes or 0 if head else 0
        if head and len(self._received) >= size:
            self._head = None
            body = bytes(self._received[:size])
            del self._received[:size]
            self._take(head, body)
        elif self._has_eof:
            self._end()

    def _read_head(self) -> Head | None:
        end = end_of_head(self._received, self._known)
        if end is None:
            self._known = len(self._received)
            return None
        self._known = 0
        head = read_head(bytes(self._received[:end]))
        del self._received[:end]
        if refusal := self._rules.check(head):
            raise Refused(refusal)
        if head.has_body or head.method not in METHODS:
            self._check_body(head)
        return head

    def _check_body(self, head: Head) -> None:
        """A resource may say by ``max_body_bytes`` how large a body it takes; none of the node's own takes any."""
        request = self._make_request(head)
        request.site, request.prepath, request.path = self.site, [], head.target.partition(b"?")[0]
        request.postpath = [unquote_to_bytes(name) for name in request.path[1:].split(b"/")]
        most: int = getattr(self.site.getResourceFor(request), "max_body_bytes", 0)
        if not most and head.method not in METHODS:
            raise Refused(Refusal(405, METHOD_REFUSED, "method"))
        if head.body_bytes is None and most:
            raise Refused(Refusal(411, f"a body needs its Content-Length here (at most {most})", "body"))
        if head.body_bytes is None or head.body_bytes > most:
            raise Refused(Refusal(413, f"a body has at most {most} bytes here", "body"))
        if head.has_body and head.value(b"expect"):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _make_request(self, head: Head) -> Any:
        request = self.site.requestFactory(self)
        for name, value in head.headers:
            request.requestHeaders.addRawHeader(name, value)
        return request

    def _take(self, head: Head, body: bytes) -> None:
        self._clear_deadline()
        self._is_last = head.is_last
        found = _ONE_NAME.fullmatch(head.target)
        resource = getattr(self.site.resource, "children", {}).get(found[1]) if found else None
        if resource is not None and (protocol := self._rules.websocket(resource, self._address)):
            self._become(protocol, head)
            return
        self._request = request = self._make_request(head)
        request.head = head
        request.content = BytesIO()
        request.content.write(body)
        request.parseCookies()
        request.requestReceived(head.method.encode(), head.target, head.version)

    def _refuse(self, refusal: Refusal) -> None:
        http_refusals.count(refusal.reason)
        self.transport.write(_short_answer(refusal))
        self._end()

    def _next(self) -> None:
        """After an answer, in a turn of its own: a client that sends many requests at once holds nobody up."""
        if self._is_ending or self._request is not None or self._is_blocked:
            return
        if self._is_paused:
            self._is_paused = False
            if not self._has_eof:
                self.transport.resumeProducing()
        if self._received:
            self._set_deadline(self._timeouts, self._time_out)
            self._read()
        elif self._has_eof:
            self._end()
        else:
            self._wait()

    # -- what Twisted's requests want of their channel -----------------------------------------------------------------

    def getPeer(self) -> Any:
        return self.transport.getPeer()

    def getHost(self) -> Any:
        return self.transport.getHost()

    def isSecure(self) -> bool:
        return ISSLTransport(self.transport, None) is not None

    def loseConnection(self) -> None:
        self._end()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        if not self._is_registered:
            self._is_registered = True
            self.transport.registerProducer(self, True)
        lines = [version + b" " + code + b" " + reason]
        for name, values in headers.getAllRawHeaders():
            if name.lower() not in (b"server", b"connection"):
                lines += [name + b": " + value for value in values]
        if self._is_last:
            lines.append(b"Connection: close")
        self.transport.write(b"\r\n".join([*lines, b"", b""]))

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def writeSequence(self, parts: Iterable[bytes]) -> None:
        self.transport.write(b"".join(parts))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer, self._pulls = producer, not streaming
        if self._pulls:
            self._pull()
        elif self._is_blocked:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def requestDone(self, _request: Any) -> None:
        self._request = None
        if self._is_ending:
            return
        if self._is_last:
            self._end()
        elif not self._is_blocked:
            self._unregister()
            if self._received or self._has_eof:
                reactor.callLater(0, self._next)
            else:
                self._next()

    def switch(self, resource: Any) -> bool:
        """Whether ``resource`` is a WebSocket's, whose protocol then has the connection."""
        protocol = self._rules.websocket(resource, self._address)
        if protocol is None:
            return False
        request, self._request = self._request, None
        self._become(protocol, request.head)
        return True

    def _become(self, protocol: Any, head: Head) -> None:
        transport, self._is_ending = self.transport, True
        over = transport if isinstance(transport, ProtocolWrapper) else transport.protocol  # TLS, or Crossbar's counter
        if isinstance(over, ProtocolWrapper):
            over.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        protocol.makeConnection(transport)
        if self._is_paused:
            transport.resumeProducing()
        protocol.dataReceived(head.as_bytes() + self._received)

    # -- answers are written as fast as they are read ------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self._is_blocked = True
        self._set_deadline(self._timeouts, self._cut_slow_reader)
        if self._producer and not self._pulls:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        self._is_blocked = False
        if self._is_ending:
            return
        self._clear_deadline()
        if self._request is None:
            self._unregister()
            reactor.callLater(0, self._next)
        elif self._producer and self._pulls:
            self._pull()
        elif self._producer:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        producer, self._producer = self._producer, None
        if producer:
            producer.stopProducing()

    def _pull(self) -> None:
        if self._producer and not self._is_blocked:
            self._producer.resumeProducing()
            if self._producer and not self._is_blocked:
                reactor.callLater(0, self._pull)

    def _unregister(self) -> None:
        if self._is_registered:
            self._is_registered = False
            self.transport.unregisterProducer()


class BoundedSite(Site):
    """A site of our own whose connections are ``HttpChannel``."""

    requestFactory = ShortRequest
    noisy = False

    def __init__(self, resource: Any, rules: Rules) -> None:
        super().__init__(resource, timeout=REQUEST_TIMEOUT_S)
        self._rules = rules

    def buildProtocol(self, address: Any) -> Any:
        return HttpChannel(self, address, self._rules)

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]

    def log(self, _request: Any) -> None:
        """No line for each request."""


@cache
def _deadlines(seconds: float) -> Deadlines:
    return Deadlines(reactor, seconds)


def _short_answer(refusal: Refusal) -> bytes:
    body = refusal.text.encode() + b"\n"
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    lines += [f"Allow: {', '.join(METHODS)}"] if refusal.status == 405 else []
    lines += ["Retry-After: 5"] if refusal.status == 503 else []
    return "\r\n".join([*lines, "", ""]).encode() + body
