"""Answers are written as fast as their client reads them: their producer pauses meanwhile."""

from typing import Any

from twisted.internet import reactor


class Flow:
    """
    Stands between one connection and the producers of its answers, which Twisted's requests register.

    It has no references back, so a connection that becomes a WebSocket leaves no garbage for the collector.
    """

    def __init__(self) -> None:
        self._producer: Any = None
        self._pulls = self._is_registered = False
        self.is_blocked = False

    def begin(self, channel: Any) -> None:
        """An answer begins: the transport tells ``channel`` when the client does not read."""
        if not self._is_registered:
            self._is_registered = True
            channel.transport.registerProducer(channel, True)

    def end(self, channel: Any) -> None:
        """All answers so far are written, though maybe not sent."""
        if self._is_registered:
            self._is_registered = False
            channel.transport.unregisterProducer()

    def register(self, producer: Any, *, pulls: bool) -> None:
        self._producer, self._pulls = producer, pulls
        if pulls:
            self._pull()
        elif self.is_blocked:
            producer.pauseProducing()

    def unregister(self) -> None:
        self._producer = None

    def pause(self) -> None:
        self.is_blocked = True
        if self._producer and not self._pulls:
            self._producer.pauseProducing()

    def resume(self) -> None:
        if self._producer and self._pulls:
            self._pull()
        elif self._producer:
            self._producer.resumeProducing()

    def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer:
            producer.stopProducing()

    def _pull(self) -> None:
        if self._producer and not self.is_blocked:
            self._producer.resumeProducing()
            if self._producer and not self.is_blocked:
                reactor.callLater(0, self._pull)
