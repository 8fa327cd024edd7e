"""Writes a batch: each connection gets its group in one payload. An error of one connection affects no other."""

from collections import defaultdict
from typing import Any

from autobahn.exception import Disconnected
from autobahn.wamp import message
from autobahn.wamp.exception import TransportLost
from twisted.logger import Logger

from stork_components.broadcaster.closing import Closing
from stork_components.broadcaster.sending import SendBatch, Sender, in_batches
from stork_components.broadcaster.slow_readers import SlowReaders
from stork_crossbar.connections.closing import BREAK
from stork_crossbar.internals import broadcasting
from stork_crossbar.internals.broadcasting import DirectConnection
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.broadcast.delivery_batch import DeliveryBatch, EventFrame, SubscriberGroup


class Writer:
    """
    Args:
        component: the relay's own session. It never receives events: a WAMP publisher does not receive its own
            event.
        closing: sessions that get no events; sessions that are cut here are added.
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

    def write(self, delivery: DeliveryBatch) -> None:
        """Write all of it now, or have Twisted write it."""
        began = self._reactor.seconds()
        before = self._counters.deliveries
        batches, others = self._divide(delivery)
        self._sender.send(batches)
        for batch in batches:
            self._note(batch, began)
        sent = self._counters.deliveries
        for group, session in others:
            self._write_group(session, group)
        self._counters.write_seconds.observe(self._reactor.seconds() - began, self._counters.deliveries - sent)
        self._router.count_sent(self._counters.deliveries - before)

    def _divide(self, delivery: DeliveryBatch) -> tuple[list[SendBatch], list[tuple[SubscriberGroup, Any]]]:
        """What can be sent at once, which is nearly always all, and who takes something else."""
        batches: list[SendBatch] = []
        others: list[tuple[SubscriberGroup, Any]] = []
        closing = self._closing.sessions
        for group, sessions in delivery.groups():
            connections: defaultdict[str, list[DirectConnection]] = defaultdict(list)
            for session in sessions:
                connection = broadcasting.connection(session)
                if connection and connection.is_open() and connection.is_idle() and session not in closing:
                    connections[connection.serializer].append(connection)
                else:
                    others.append((group, session))
            for serializer, some in connections.items():
                try:
                    batches += in_batches(some, group.payload(serializer), len(group.events))
                except Exception:
                    # Each of them meets it again, and is closed.
                    others += [(group, connection.session) for connection in some]
        return batches, others

    def _note(self, batch: SendBatch, began: float) -> None:
        deliveries = len(batch.connections) * batch.events
        self._counters.deliveries += deliveries
        self._counters.bytes += len(batch.connections) * len(batch.payload)
        self._counters.write_seconds.observe(batch.sent_at - began, deliveries)
        for connection, sent in batch.left:
            self._write_rest(connection, batch.payload, sent)

    def _write_group(self, session: Any, group: SubscriberGroup) -> None:
        transport = broadcasting.transport(session) if session not in self._closing.sessions else None
        if transport is None or session is self._component:
            return
        try:
            connection = broadcasting.connection(session)
            if connection and connection.is_open():
                self._write_payload(connection, group)
            else:
                self._write_messages(session, transport, group)
        except (TransportLost, Disconnected):
            pass  # it is closing already
        except Exception as error:
            if broadcasting.is_embedded(session):
                self.log.failure("a component of this process could not take an event")
            else:
                self._close_unwritable(session, group, error)

    def _write_payload(self, connection: DirectConnection, group: SubscriberGroup) -> None:
        if not connection.is_idle() and not self._slow_readers.may_write(
            connection.session, connection.transport, connection.tcp
        ):
            self._closing.add(connection.session)
            return
        payload = group.payload(connection.serializer)
        self._write_rest(connection, payload, connection.send(payload) if connection.is_idle() else 0)
        self._counters.bytes += len(payload)
        self._count(group)

    def _write_rest(self, connection: DirectConnection, payload: bytes, sent: int) -> None:
        left = connection.write_rest(payload, sent)
        if left:
            self._slow_readers.left(connection.session, connection.transport, connection.tcp, left)

    def _write_messages(self, session: Any, transport: Any, group: SubscriberGroup) -> None:
        """As Crossbar does it, message by message."""
        descriptor = broadcasting.descriptor(transport)
        before = broadcasting.waiting_bytes(transport, descriptor) if descriptor else 0
        if before and not self._slow_readers.may_write(session, transport, descriptor):
            self._closing.add(session)
            return
        for event in group.events:
            transport.send(_message(event))
        if descriptor and (after := broadcasting.waiting_bytes(transport, descriptor)):
            self._slow_readers.left(session, transport, descriptor, max(0, after - before))
        self._counters.bytes += len(group.payload("json"))
        self._count(group)

    def _count(self, group: SubscriberGroup) -> None:
        self._counters.deliveries += len(group.events)

    def _close_unwritable(self, session: Any, group: SubscriberGroup, error: Exception) -> None:
        self._counters.unwritable += 1
        self.log.error(
            "an event up to {position} cannot be written to session {session}, which is closed: {error}",
            position=group.events[-1].content.position,
            session=broadcasting.session_id(session),
            error=error,
        )
        self._closing.close([session], BREAK, "an event cannot be written")


def _message(event: EventFrame) -> message.Event:
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
