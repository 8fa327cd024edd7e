"""Writing a turn: each connection gets its share in one piece, and what goes wrong with one touches no other."""

from collections import defaultdict
from typing import Any

from autobahn.exception import Disconnected
from autobahn.wamp import message
from autobahn.wamp.exception import TransportLost
from twisted.logger import Logger

from stork_components.broadcaster.closing import Closing
from stork_components.broadcaster.sending import Parcel, Sender, in_parcels
from stork_components.broadcaster.slow_readers import SlowReaders
from stork_crossbar.connections.closing import BREAK
from stork_crossbar.internals import broadcasting
from stork_crossbar.internals.broadcasting import Lane
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.broadcast.turns import Event, Share, Turn


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
        router: broadcasting.Router,
        slow_readers: SlowReaders,
        closing: Closing,
        counters: BroadcastCounters,
    ) -> None:
        self._component, self._reactor, self._router = component, reactor, router
        self._slow_readers, self._closing, self._counters = slow_readers, closing, counters
        self._sender = Sender(reactor.seconds)

    def write(self, turn: Turn) -> None:
        """Write all of it now, or have Twisted write it."""
        began = self._reactor.seconds()
        before = self._counters.deliveries
        parcels, others = self._divide(turn)
        self._sender.send(parcels)
        for parcel in parcels:
            self._note(parcel, began)
        sent = self._counters.deliveries
        for share, session in others:
            self._write_share(session, share)
        self._counters.write_seconds.observe(self._reactor.seconds() - began, self._counters.deliveries - sent)
        self._router.count_sent(self._counters.deliveries - before)

    def _divide(self, turn: Turn) -> tuple[list[Parcel], list[tuple[Share, Any]]]:
        """What can be sent at once, which is nearly always all, and who takes something else."""
        parcels: list[Parcel] = []
        others: list[tuple[Share, Any]] = []
        closing = self._closing.sessions
        for share, sessions in turn.shares():
            lanes: defaultdict[str, list[Lane]] = defaultdict(list)
            for session in sessions:
                lane = broadcasting.lane(session)
                if lane and lane.is_open() and lane.is_idle() and session not in closing:
                    lanes[lane.serializer].append(lane)
                else:
                    others.append((share, session))
            for serializer, some in lanes.items():
                try:
                    parcels += in_parcels(some, share.piece(serializer), len(share.events))
                except Exception:
                    # Each of them meets it again, and is closed.
                    others += [(share, lane.session) for lane in some]
        return parcels, others

    def _note(self, parcel: Parcel, began: float) -> None:
        deliveries = len(parcel.lanes) * parcel.events
        self._counters.deliveries += deliveries
        self._counters.bytes += len(parcel.lanes) * len(parcel.piece)
        self._counters.write_seconds.observe(parcel.sent_at - began, deliveries)
        for lane, sent in parcel.left:
            self._write_rest(lane, parcel.piece, sent)

    def _write_share(self, session: Any, share: Share) -> None:
        transport = broadcasting.transport(session) if session not in self._closing.sessions else None
        if transport is None or session is self._component:
            return
        try:
            lane = broadcasting.lane(session)
            if lane and lane.is_open():
                self._write_piece(lane, share)
            else:
                self._write_messages(session, transport, share)
        except (TransportLost, Disconnected):
            pass  # it is closing already
        except Exception as error:
            if broadcasting.is_embedded(session):
                self.log.failure("a component of this process could not take an event")
            else:
                self._close_unwritable(session, share, error)

    def _write_piece(self, lane: Lane, share: Share) -> None:
        if not lane.is_idle() and not self._slow_readers.may_write(lane.session, lane.transport, lane.tcp):
            self._closing.add(lane.session)
            return
        piece = share.piece(lane.serializer)
        self._write_rest(lane, piece, lane.send(piece) if lane.is_idle() else 0)
        self._counters.bytes += len(piece)
        self._count(share)

    def _write_rest(self, lane: Lane, piece: bytes, sent: int) -> None:
        left = lane.write_rest(piece, sent)
        if left:
            self._slow_readers.left(lane.session, lane.transport, lane.tcp, left)

    def _write_messages(self, session: Any, transport: Any, share: Share) -> None:
        """As Crossbar does it, message by message."""
        descriptor = broadcasting.descriptor(transport)
        before = broadcasting.waiting_bytes(transport, descriptor) if descriptor else 0
        if before and not self._slow_readers.may_write(session, transport, descriptor):
            self._closing.add(session)
            return
        for event in share.events:
            transport.send(_message(event))
        if descriptor and (after := broadcasting.waiting_bytes(transport, descriptor)):
            self._slow_readers.left(session, transport, descriptor, max(0, after - before))
        self._counters.bytes += len(share.piece("json"))
        self._count(share)

    def _count(self, share: Share) -> None:
        self._counters.deliveries += len(share.events)

    def _close_unwritable(self, session: Any, share: Share, error: Exception) -> None:
        self._counters.unwritable += 1
        self.log.error(
            "an event up to {position} cannot be written to session {session}, which is closed: {error}",
            position=share.events[-1].content.position,
            session=broadcasting.session_id(session),
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
