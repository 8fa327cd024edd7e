"""Readers that do not keep up: who has bytes waiting, for how long, and when to cut the connection."""

from heapq import nlargest
from operator import itemgetter
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.logger import Logger

from stork_crossbar.internals import broadcasting
from stork_node import clock
from stork_node.broadcast.backlog import Backlog, ReaderLimits
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.process_state import singleton
from stork_node.why.recent import Kind, RecentEvents


class _Reader:
    """A connection that has bytes waiting; counts what leaves, wherever it came from: our events, answers, pings."""

    def __init__(self, session: Any, transport: Any, descriptor: FileDescriptor) -> None:
        self.session, self.transport, self.descriptor = session, transport, descriptor
        self.backlog = Backlog()
        self._write_some_data = descriptor.writeSomeData
        descriptor.writeSomeData = self._count

    def _count(self, data: Any) -> Any:
        sent = self._write_some_data(data)
        if isinstance(sent, int) and sent > 0:
            self.backlog.sent(sent)
        return sent

    def waiting_bytes(self) -> int:
        return broadcasting.waiting_bytes(self.transport, self.descriptor)

    def let_go(self) -> None:
        # The class's own method again.
        del self.descriptor.writeSomeData


class SlowReaders:
    """
    Cuts the connections whose readers are beyond ``limits``.

    Only connections that have something waiting are known here; a reader that keeps up costs nothing.
    """

    log = Logger()

    def __init__(self, reactor: Any, limits: ReaderLimits, counters: BroadcastCounters) -> None:
        self._reactor, self._limits, self._counters = reactor, limits, counters
        self._readers: dict[FileDescriptor, _Reader] = {}

    def may_write(self, session: Any, transport: Any, descriptor: FileDescriptor) -> bool:
        """Whether to write more to a connection that has bytes waiting: if not, it is cut now."""
        reader = self._reader(session, transport, descriptor)
        reader.backlog.latest = 0
        return not self._cut_if_too_slow(reader)

    def left(self, session: Any, transport: Any, descriptor: FileDescriptor, size: int) -> None:
        """``size`` bytes of what was written now were left waiting."""
        backlog = self._reader(session, transport, descriptor).backlog
        backlog.latest = size
        backlog.note(broadcasting.waiting_bytes(transport, descriptor), self._reactor.seconds())

    def waiting(self, most: int) -> list[tuple[Any, int, float]]:
        """The sessions with the most bytes waiting, with their numbers and ages (s)."""
        now = self._reactor.seconds()
        found = [(each.session, each.waiting_bytes(), each.backlog.age_s(now)) for each in self._readers.values()]
        return nlargest(most, filter(itemgetter(1), found), key=itemgetter(1))

    def look(self, sessions: Any) -> None:
        """Once a second: those of ``sessions`` that have bytes waiting, whoever wrote them."""
        writers = {each for each in self._reactor.getWriters() if isinstance(each, FileDescriptor)}
        if not writers.issubset(self._readers):
            for session in sessions:
                transport = broadcasting.transport(session)
                descriptor = broadcasting.descriptor(transport)
                if descriptor in writers:
                    self._reader(session, transport, descriptor)
        for descriptor, reader in list(self._readers.items()):
            if not descriptor.connected or not reader.waiting_bytes():
                self._let_go(reader)
            elif not self._cut_if_too_slow(reader):
                reader.backlog.latest = 0

    def _reader(self, session: Any, transport: Any, descriptor: FileDescriptor) -> _Reader:
        reader = self._readers.get(descriptor)
        if reader is None:
            reader = self._readers[descriptor] = _Reader(session, transport, descriptor)
        return reader

    def _cut_if_too_slow(self, reader: _Reader) -> bool:
        excess = self._excess(reader)
        if excess is not None:
            # It may be this process that is slow: large pushes to many come faster than the reactor writes.
            broadcasting.flush(reader.descriptor)
            excess = self._excess(reader)
        if excess is None:
            return False
        age_s = reader.backlog.age_s(self._reactor.seconds())
        self._let_go(reader)
        broadcasting.abort(reader.transport, reader.descriptor)
        self._counters.slow_readers += 1
        since = clock.wall() - age_s
        singleton(RecentEvents).note(
            Kind.SLOW, broadcasting.session_id(reader.session) or 0, reason=excess, since=since
        )
        self.log.warn(
            "cut a slow client, session {session}: {excess}",
            session=broadcasting.session_id(reader.session),
            excess=excess,
        )
        return True

    def _excess(self, reader: _Reader) -> str | None:
        now, waiting = self._reactor.seconds(), reader.waiting_bytes()
        reader.backlog.note(waiting, now)
        return reader.backlog.excess(waiting, now, self._limits)

    def _let_go(self, reader: _Reader) -> None:
        reader.let_go()
        del self._readers[reader.descriptor]
