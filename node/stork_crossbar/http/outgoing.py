"""Requests of this node to other servers: bounded in time and size, and redirects are never followed."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet import defer, error
from twisted.internet.protocol import Protocol
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from stork_node.errors import NoDecision

_CONNECTIONS_PER_HOST = 32
# Shorter than the pauses after which servers close: nginx 75 s, Apache 5 s.
_IDLE_S = 3.0


@dataclass(frozen=True)
class Answer:
    """``location`` is the target of a redirect, or empty."""

    status: int
    body: bytes
    location: str = ""


class OutgoingHttp:
    """
    Args:
        reactor: Twisted's.
        timeout_s: the time for a whole answer.
        max_bytes: the largest body of an answer.
    """

    def __init__(self, reactor: Any, timeout_s: float, max_bytes: int) -> None:
        self._reactor, self._timeout_s, self._max_bytes = reactor, timeout_s, max_bytes
        pool = HTTPConnectionPool(reactor)
        pool.maxPersistentPerHost, pool.cachedConnectionTimeout = _CONNECTIONS_PER_HOST, _IDLE_S
        self._agent = Agent(reactor, connectTimeout=timeout_s, pool=pool)

    async def get(self, url: str) -> Answer:
        """
        Raises:
            NoDecision: no connection, no answer in time, or too large a one.
        """
        return await self._in_time(self._request(b"GET", url, {}, b""))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Raises:
            NoDecision: as ``get``.
        """
        return await self._in_time(self._request(b"POST", url, headers, body))

    async def _in_time(self, request: Any) -> Answer:
        deferred = defer.ensureDeferred(request)
        timer = self._reactor.callLater(self._timeout_s, deferred.cancel)
        try:
            answer: Answer = await deferred
        except Exception as failed:
            # What a cancelled request raises depends on how far it came.
            if not timer.active():
                raise NoDecision(f"no answer within {self._timeout_s:g} s") from None
            raise failed if isinstance(failed, NoDecision) else NoDecision(_sentence(failed)) from None
        finally:
            if timer.active():
                timer.cancel()
        return answer

    async def _request(self, method: bytes, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            return await self._once(method, url, headers, body)
        except ResponseFailed as failed:
            # The server closed a connection that was kept, at the moment of its use.
            if not any(reason.check(error.ConnectionDone, error.ConnectionLost) for reason in failed.reasons):
                raise
            return await self._once(method, url, headers, body)

    async def _once(self, method: bytes, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = Headers({name: [value] for name, value in {"User-Agent": "stork-node", **headers}.items()})
        producer = FileBodyProducer(io.BytesIO(body)) if body else None
        response = await self._agent.request(method, url.encode("ascii"), sent, producer)
        collector = _Collector(self._max_bytes)
        response.deliverBody(collector)
        [location] = response.headers.getRawHeaders("location", [""])[:1]
        return Answer(response.code, await collector.done, location)


class _Collector(Protocol):
    """Reads a body of at most ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._parts = most, bytearray()
        self.done: defer.Deferred[bytes] = defer.Deferred(lambda _: self._end())

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._parts += data
        if len(self._parts) > self._most:
            self._end()
            self.done.errback(NoDecision(f"an answer of more than {self._most} bytes"))

    def connectionLost(self, reason: Any = None) -> None:
        if self.done.called:
            return
        if reason is not None and reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._parts))
        else:
            self.done.errback(NoDecision("an answer that was cut off"))

    def _end(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def _sentence(failed: Exception) -> str:
    reasons = getattr(failed, "reasons", None)
    cause = reasons[0].value if reasons else failed
    said = " ".join(str(cause).split())[:200].rstrip(".")
    return f"{type(cause).__name__}: {said}" if said else type(cause).__name__
