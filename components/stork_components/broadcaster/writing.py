"""
Writing a turn: each connection gets its group in one payload, or a large one in parts, and what goes wrong with one
touches no other.
"""

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
from stork_crossbar.pusher.socket import PusherSocket
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.broadcast.delivery_batch import DeliveryBatch, EventFrame, SubscriberGroup

_MOST_BATCH_BYTES = 8 << 20


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
        self._messages: list[EventFrame] = []  # those that have a message now

    def write(self, delivery: DeliveryBatch) -> None:
        """Write all of it now, or have Twisted write it."""
        began = self._reactor.seconds()
        gathered = _Gathered()
        for group, sessions in delivery.groups():
            for number, part in enumerate([group] if delivery.is_small else group.parts()):
                # No connection may be in two of them, and not all that is made fits into memory.
                if number or gathered.bytes > _MOST_BATCH_BYTES:
                    self._send(gathered, began)
                    gathered = _Gathered()
                self._add(gathered, part, sessions)
        self._send(gathered, began)

    def _add(self, gathered: "_Gathered", group: SubscriberGroup, sessions: list[Any]) -> None:
        """What can be sent at once, which is nearly always all, and who takes something else."""
        closing = self._closing.sessions
        connections: defaultdict[str, list[DirectConnection]] = defaultdict(list)
        for session in sessions:
            connection = broadcasting.connection(session)
            if connection and connection.is_open() and connection.is_idle() and session not in closing:
                connections[connection.serializer].append(connection)
            else:
                gathered.others.append((group, session))
        for serializer, some in connections.items():
            try:
                payload = group.payload(serializer)
            except Exception:
                # Each of them meets it again, and is closed.
                gathered.others += [(group, connection.session) for connection in some]
            else:
                gathered.batches += in_batches(some, payload, len(group.events))
                gathered.bytes += len(payload)

    def _send(self, gathered: "_Gathered", began: float) -> None:
        before = self._counters.deliveries
        self._sender.send(gathered.batches)
        for each in gathered.batches:
            self._note(each, began)
        sent = self._counters.deliveries
        for group, session in gathered.others:
            self._write_group(session, group)
        self._counters.write_seconds.observe(self._reactor.seconds() - began, self._counters.deliveries - sent)
        self._router.count_sent(self._counters.deliveries - before)
        for event in self._messages:
            event.memo = None
        self._messages.clear()

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
        """As Crossbar does it, message by message; or by autobahn, under TLS."""
        descriptor = broadcasting.descriptor(transport)
        before = broadcasting.waiting_bytes(transport, descriptor) if descriptor else 0
        if before and not self._slow_readers.may_write(session, transport, descriptor):
            self._closing.add(session)
            return
        form = session.serializer if isinstance(session, PusherSocket) else "json"
        if isinstance(session, PusherSocket):
            transport.sendData(group.payload(form))
        else:
            for event in group.events:
                transport.send(self._message(event))
        if descriptor and (after := broadcasting.waiting_bytes(transport, descriptor)):
            self._slow_readers.left(session, transport, descriptor, max(0, after - before))
        self._counters.bytes += len(group.payload(form))
        self._count(group)

    def _message(self, event: EventFrame) -> message.Event:
        if event.memo is None:
            content = event.content
            event.memo = message.Event(
                event.subscription,
                event.publication,
                args=content.args(),
                kwargs={"position": content.position},
                topic=event.topic,
            )
            self._messages.append(event)
        return event.memo

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


class _Gathered:
    """What is sent together; ``bytes`` are those of its payloads."""

    __slots__ = ("batches", "bytes", "others")

    def __init__(self) -> None:
        self.batches: list[SendBatch] = []
        self.others: list[tuple[SubscriberGroup, Any]] = []
        self.bytes = 0
