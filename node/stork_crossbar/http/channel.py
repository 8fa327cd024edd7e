"""
The HTTP of a client's connection, in place of Twisted's HTTPChannel. Heads are bounded and have a deadline. Requests
are answered one after the other. Only resources that ask for it get a body. Answers are written only as fast as the
client reads.

It is the ``channel`` of Twisted's requests, so that Twisted's and Crossbar's resources can answer them.
"""

import re
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from zope.interface import implementer

from stork_crossbar.connections.http_turns import HttpTurns
from stork_crossbar.http import refusals
from stork_crossbar.http.answers import refusal_bytes
from stork_crossbar.http.bodies import check_body, check_size, make_request
from stork_crossbar.http.direct import Exchange, Handler, direct_resource
from stork_crossbar.http.ending import Ending
from stork_crossbar.http.handover import hand_over
from stork_crossbar.http.reading import Refused, RequestReader
from stork_crossbar.http.request_channel import RequestChannel
from stork_crossbar.http.rules import REQUEST_TIMEOUT_S, Rules
from stork_crossbar.internals.writing import write_now
from stork_node.http.heads import Head, Refusal
from stork_node.process_state import singleton

_FIRST_NAME = re.compile(rb"/([A-Za-z0-9_-]+)(?:[/?].*)?")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@implementer(IHalfCloseableProtocol, IPushProducer)
class HttpChannel(RequestChannel):
    def __init__(self, site: Any, address: Any, rules: Rules) -> None:
        self.site = self.factory = site
        super().__init__()
        self._address, self._rules = address, rules
        self._reader = RequestReader()
        self._ending = Ending(site.timeOut or REQUEST_TIMEOUT_S)
        self._request: Any = None
        self._handler: Handler | None = None
        self._known: tuple[Head, Handler] | None = None  # the head of the last request that was answered directly
        self._is_paused = self._has_eof = self._is_waiting = False
        self._turns = singleton(HttpTurns)

    # -- the connection ------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._ending.transport = self.transport
        self._ending.wait_for_first_byte()
        self._rules.entered(self)

    def turn_away(self, refusal: Refusal, *, waits: bool) -> None:
        """Refuse every request of this client; ``waits``: the client gets the time to read the refusal."""
        self._refuse(refusal)
        if not waits:
            self._ending.close_socket()

    def dataReceived(self, data: bytes) -> None:
        if self._ending.has_begun:
            return
        if not self._reader.has_begun and not self._is_answering:
            self._ending.wait_for_request()
        self._reader.add(data)
        if not (self._is_answering or self._is_waiting):
            self._is_waiting = True
            self._turns.do(self._read_in_turn)
        elif self._reader.has_too_much and not self._is_paused:
            # A client that sends requests before it has its answers has to wait.
            self._is_paused = True
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        self._has_eof = True
        if not (self._is_answering or self._is_waiting):
            self._end()

    def writeConnectionLost(self) -> None:
        self._ending.all_is_sent()

    def connectionLost(self, reason: Any = None) -> None:
        self._ending.lost()
        self._flow.unregister()
        self._rules.left(self)
        if self._request is not None:
            request, self._request = self._request, None
            request.connectionLost(reason)

    def _end(self) -> None:
        self._ending.has_begun = True
        self._flow.end(self)
        self._ending.begin(has_eof=self._has_eof)

    # -- requests ------------------------------------------------------------------------------------------------------

    @property
    def _is_answering(self) -> bool:
        """Whether a request is being answered, or the client has not read earlier answers."""
        return self._request is not None or self._flow.is_blocked

    def _read_in_turn(self) -> None:
        self._is_waiting = False
        if not (self._ending.has_begun or self._is_answering):
            self._go_on()
            self._read()

    def _go_on(self) -> None:
        """Hear the client again."""
        if self._is_paused:
            self._is_paused = False
            if not self._has_eof:
                self.transport.resumeProducing()

    def _read(self) -> None:
        try:
            taken = self._reader.next(self._check)
        except Refused as error:
            self._refuse(error.refusal)
            return
        if taken:
            self._take(*taken)
        elif self._has_eof:
            self._end()

    def _check(self, head: Head) -> None:
        if self._known and self._known[0] is head:
            self._handler = self._known[1]
            return
        if refusal := self._rules.check(head):
            raise Refused(refusal)
        if direct := direct_resource(self.site, head.target):
            self._handler = direct.begin(head)
            check_size(head, direct.max_body_bytes)
            if direct.keeps_heads and not head.has(b"expect"):
                self._known = head, self._handler
            waits = head.has_body and bool(head.value(b"expect"))
        else:
            waits = check_body(self, head)
        if waits:
            self.transport.write(_CONTINUE)

    def _take(self, head: Head, body: bytes) -> None:
        self._ending.wait_for_nothing()
        self._rules.asked(self)
        self._is_last = head.is_last
        if self._handler is not None:
            handler, self._handler = self._handler, None
            self._request = exchange = Exchange(self, head, is_last=self._is_last)
            handler(body, exchange)
            return
        found = _FIRST_NAME.fullmatch(head.target)
        resource = getattr(self.site.resource, "children", {}).get(found[1]) if found else None
        if resource is not None and (protocol := self._rules.websocket(resource, self._address)):
            self._become(protocol, head)
            return
        self._request = request = make_request(self, head)
        request.head = head
        request.content = BytesIO()
        request.content.write(body)
        request.parseCookies()
        request.requestReceived(head.method.encode(), head.target, head.version)

    def _refuse(self, refusal: Refusal) -> None:
        refusals.count(refusal.reason)
        self.transport.write(refusal_bytes(refusal))
        self._end()

    def _next(self) -> None:
        """After an answer, in a turn of its own: so a client with many requests does not delay the others."""
        if self._ending.has_begun or self._is_answering:
            return
        self._go_on()
        if self._reader.has_unread:
            self._ending.wait_for_request()
            self._read()
        elif self._has_eof:
            self._end()
        else:
            self._ending.wait_for_first_byte()

    # -- answers -------------------------------------------------------------------------------------------------------

    def loseConnection(self) -> None:
        self._end()

    def answer(self, exchange: Exchange, data: bytes) -> None:
        """Write the whole answer to a request that is answered directly."""
        self._flow.begin(self)
        write_now(self.transport, data)
        self.requestDone(exchange)

    def requestDone(self, _request: Any) -> None:
        self._request = None
        if self._ending.has_begun:
            return
        if self._is_last:
            self._end()
        elif not self._flow.is_blocked:
            self._flow.end(self)
            if self._reader.has_unread or self._has_eof:
                self._turns.do_later(self._next)
            else:
                self._next()

    def switch(self, resource: Any) -> bool:
        """Whether ``resource`` belongs to a WebSocket, whose protocol then takes the connection over."""
        protocol = self._rules.websocket(resource, self._address)
        if protocol is None:
            return False
        request, self._request = self._request, None
        self._become(protocol, request.head)
        return True

    def _become(self, protocol: Any, head: Head) -> None:
        self._ending.has_begun = True
        hand_over(self.transport, protocol)
        if self._is_paused:
            self.transport.resumeProducing()
        protocol.dataReceived(head.as_bytes() + self._reader.rest())

    # -- what its transport tells it -----------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The client does not read its answers."""
        self._ending.wait_for_reader()
        self._flow.pause()

    def resumeProducing(self) -> None:
        self._flow.is_blocked = False
        if self._ending.has_begun:
            return
        self._ending.wait_for_nothing()
        if self._request is None:
            self._flow.end(self)
            self._turns.do_later(self._next)
        else:
            self._flow.resume()
