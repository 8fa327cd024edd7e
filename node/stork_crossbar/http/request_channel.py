"""The interface that Twisted's requests need of their channel."""

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.web.http import Request as HttpRequest
from twisted.web.server import Request

from stork_crossbar.compat import require_signature
from stork_crossbar.http.answers import head_bytes
from stork_crossbar.http.flow import Flow


def check_twisted() -> None:
    """
    Raises:
        Incompatible: Twisted's requests need another interface.
    """
    require_signature(HttpRequest.requestReceived, "self", "command", "path", "version")
    require_signature(HttpRequest.registerProducer, "self", "producer", "streaming")
    require_signature(Request.process, "self")
    require_signature(Request.render, "self", "resrc")


class RequestChannel(Protocol):
    """The half of ``HttpChannel`` that writes."""

    def __init__(self) -> None:
        self._flow = Flow()
        self._is_last = False
        self.transport: Any

    def logPrefix(self) -> str:
        return "HTTP"

    @property
    def _channel(self) -> "RequestChannel":
        """Crossbar's universal transport sets a channel's transport by this name."""
        return self

    def getPeer(self) -> Any:
        return self.transport.getPeer()

    def getHost(self) -> Any:
        return self.transport.getHost()

    def isSecure(self) -> bool:
        return ISSLTransport(self.transport, None) is not None

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        self._flow.begin(self)
        self.transport.write(head_bytes(version, code, reason, headers, is_last=self._is_last))

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def writeSequence(self, parts: Iterable[bytes]) -> None:
        self.transport.write(b"".join(parts))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._flow.register(producer, pulls=not streaming)

    def unregisterProducer(self) -> None:
        self._flow.unregister()

    def stopProducing(self) -> None:
        self._flow.stop()
