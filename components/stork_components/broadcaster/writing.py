"""Writing a turn: each connection gets its share in one piece, and what goes wrong with one touches no other."""

from typing import Any

from autobahn.exception import Disconnected
from autobahn.wamp import message
from autobahn.wamp.exception import TransportLost
from twisted.logger import Logger

from stork_components.broadcaster import inside
from stork_components.broadcaster.closing import Closing
from stork_components.broadcaster.slow_readers import SlowReaders
from stork_components.connections import BREAK
from stork_node.broadcast_counters import BroadcastCounters
from stork_node.turns import Event, Share, Turn


class Writer:
    """
    Args:
        component: it gets nothing, as who publishes to the router gets nothing of it back.
        closing: sessions that get nothing; those that are cut here go into it.
    """

    log = Logger()

    def __init__(
        self,
        component: Any,
        reactor: Any,
        router: inside.Router,
        slow_readers: SlowReaders,
        closing: Closing,
        counters: BroadcastCounters,
    ) -> None:
        self._component, self._reactor, self._router = component, reactor, router
        self._slow_readers, self._closing, self._counters = slow_readers, closing, counters

    def write(self, turn: Turn) -> None:
        """Write all of it now, or have Twisted write it."""
        began = self._reactor.seconds()
        counters = self._counters
        for share, sessions in turn.shares():
            before = counters.deliveries
            written, size, partly, rest = inside.write_to_idle(share, sessions, self._closing.sessions)
            counters.deliveries += written * len(share.events)
            counters.bytes += size
            for left in partly:
                self._slow_readers.left(*left)
            for session in rest:
                self._write_share(session, share)
            self._router.count_sent(counters.deliveries - before)
            counters.write_seconds.observe(self._reactor.seconds() - began, counters.deliveries - before)

    def _write_share(self, session: Any, share: Share) -> None:
        transport = inside.transport(session) if session not in self._closing.sessions else None
        if transport is None or session is self._component:
            return
        try:
            plain = inside.plain_socket(transport)
            if plain is None:
                self._write_messages(session, transport, share)
            else:
                self._write_piece(session, transport, share, *plain)
        except (TransportLost, Disconnected):
            pass  # it is closing already
        except Exception as error:
            if inside.is_embedded(session):
                self.log.failure("a component of this process could not take an event")
            else:
                self._close_unwritable(session, share, error)

    def _write_piece(self, session: Any, transport: Any, share: Share, tcp: Any, serializer: str) -> None:
        if not inside.is_idle(tcp) and not self._slow_readers.may_write(session, transport, tcp):
            self._closing.add(session)
            return
        piece = share.piece(serializer)
        left = inside.write(tcp, piece)
        if left:
            self._slow_readers.left(session, transport, tcp, left)
        self._counters.bytes += len(piece)
        self._count(share)

    def _write_messages(self, session: Any, transport: Any, share: Share) -> None:
        """As Crossbar does it, message by message."""
        descriptor = inside.descriptor(transport)
        before = inside.waiting_bytes(transport, descriptor) if descriptor else 0
        if before and not self._slow_readers.may_write(session, transport, descriptor):
            self._closing.add(session)
            return
        for event in share.events:
            transport.send(_message(event))
        if descriptor and (after := inside.waiting_bytes(transport, descriptor)):
            self._slow_readers.left(session, transport, descriptor, max(0, after - before))
        self._counters.bytes += len(share.piece("json"))
        self._count(share)

    def _count(self, share: Share) -> None:
        self._counters.deliveries += len(share.events)

    def _close_unwritable(self, session: Any, share: Share, error: Exception) -> None:
        self._counters.unwritable += 1
        if self._counters.unwritable == 1:
            self.log.error(
                "an event up to {position} cannot be written to session {session}, which is closed: {error}",
                position=share.events[-1].content.position,
                session=session._session_id,
                error=error,
            )
        self._closing.close([session], BREAK, "an event cannot be written")


def _message(event: Event) -> message.Event:
    if event.memo is None:
        content = event.content
        event.memo = message.Event(
            event.subscription,
            event.publication,
            args=content.args(),
            kwargs={"position": content.position},
            topic=event.topic,
        )
    return event.memo
