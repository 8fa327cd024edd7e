"""Attaches nodes, takes what they say, and ends those that are silent: each is an entry of the log."""

import logging
from collections.abc import Callable, Iterator, Mapping

from stork_node import clock
from stork_node.engines.interface import Engine
from stork_node.nodes.declared_feeds import DeclaredFeeds
from stork_node.nodes.leases import STALL_S, Leases
from stork_node.presence.absences import Absences
from stork_node.presence.settling import Reporting, Settling
from stork_node.presence.snapshots import Snapshots
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateEntry
from stork_node.protocol.commands.leases import Lease, Leased, LeaseState, Nodes, NodesRequest, NodeState
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceChanges, PresenceSettled
from stork_node.protocol.presence.snapshots import PresenceRequest, PresenceRows
from stork_node.publish_server.counters import Counters, figures
from stork_node.publish_server.questions import AskedNode

log = logging.getLogger("stork_node.publish_server")

MOST_NODES = 1_000
"""Attached at once; a further one waits."""
_LOOK_S = 0.25
_WHY = {"silent": "has said nothing for 10 s", "left": "has left"}


class NodeService:
    """
    Times are seconds of a clock that never goes back.

    Attributes:
        may_append: False while the log takes nothing.
        feeds: those of all nodes.
    """

    def __init__(self, engine: Engine, counters: Counters, count_old: Callable[[], int] = lambda: 0) -> None:
        """``count_old`` says how many nodes of a release without leases follow."""
        self._engine, self._counters = engine, counters
        self._leases = Leases()
        self._absences, self._settling, self._snapshots = Absences(), Settling(), Snapshots()
        self._said: dict[str, Lease] = {}
        self._here: dict[str, float] = {}
        self._epoch = engine.tail.epoch
        self._next_look = 0.0
        self._count_old = count_old
        self.may_append = False
        self.feeds = DeclaredFeeds()

    def take(self, lease: Lease, now: float) -> Leased:
        """Take a lease; what it says goes into the log."""
        self._note_epoch()
        entries: list[StateEntry] = []
        earlier: Lease | None = None
        if lease.leaves:
            entries = [NodeGone(lease.incarnation, "left")]
        else:
            nodes = self._engine.state.nodes
            if lease.incarnation not in nodes and len(nodes) < MOST_NODES:
                entries = [NodeAttached(lease.incarnation, lease.name, lease.version)]
            entries += [Obeyed(lease.incarnation, each.report, each.command, each.counts) for each in lease.reports]
            if batch := lease.presence:
                entries.append(PresenceChanges(lease.incarnation, batch.batch, batch.topics, _now_ms()))
            self._leases.raise_for(lease.incarnation, now)
            earlier = self._said.get(lease.incarnation)
            self._said[lease.incarnation] = lease
            self._here[lease.incarnation] = now
            self._engine.share_lease(lease)
        for entry in entries:
            self._append(entry)
        if entries or not earlier or earlier.feeds != lease.feeds:
            self._update_feeds()
        state = self._engine.state
        tail = self._engine.tail
        at: LeaseState = "gone" if state.nodes.is_gone(lease.incarnation) else "waits"
        at = "attached" if lease.incarnation in state.nodes else at
        return Leased(
            lease.incarnation,
            lease.number,
            tail.epoch,
            self._engine.run,
            tail.sequence,
            at,
            state.last_report(lease.incarnation),
            state.last_batch(lease.incarnation),
        )

    def end_silent(self, now: float, has_read_all: bool) -> None:
        """
        End the nodes that have said nothing for too long; to be called in each turn.

        Args:
            has_read_all: whether no message of a node waits to be read.
        """
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        self._note_epoch()
        for lease in self._engine.take_leases():
            self._leases.raise_for(lease.incarnation, now)
            self._said[lease.incarnation] = lease
        if not self._engine.is_current(now):  # what nodes say to other servers is not heard
            self._leases.begin_anew()
            return
        nodes = self._engine.state.nodes
        silent = self._leases.silent((row.incarnation for row in nodes.rows), now)
        for incarnation in silent if has_read_all else ():
            self._append(NodeGone(incarnation, "silent"))
        if has_read_all:
            self._end_absences(now)
        self._snapshots.forget_old(now)
        if len(self._said) > len(nodes):
            self._said = {each: lease for each, lease in self._said.items() if each in nodes}
            self._here = {each: at for each, at in self._here.items() if each in nodes}
        self._update_feeds()

    def presence(self, request: PresenceRequest, now: float) -> PresenceRows:
        """A part of the table of presence."""
        return self._snapshots.part(request, self._engine.state.presence, self._engine.tail, self._engine.run, now)

    def _end_absences(self, now: float) -> None:
        table = self._engine.state.presence
        for over in list(self._absences.over(table, now, _now_ms())):
            self._append(over)
        if not table.is_settled and self._settling.is_over(self._reporting(now), self._engine.state.awaited, now):
            self._append(PresenceSettled(_now_ms()))

    def _reporting(self, now: float) -> Iterator[Reporting]:
        epoch = self._engine.tail.epoch
        for row in self._engine.state.nodes.rows:
            said = self._said.get(row.incarnation)
            is_done = said.is_reported and said.epoch == epoch if said and said.is_reported is not None else None
            yield Reporting(row.name, is_done, self._leases.age_s(row.incarnation, now))

    def table(self, request: NodesRequest, old: int, now: float) -> Nodes:
        """The table of nodes now; ``old``: how many nodes have no leases."""
        nodes = self._engine.state.nodes
        labels = nodes.labels()
        tail = self._engine.tail
        return Nodes(
            tail.epoch,
            self._engine.run,
            tail.sequence,
            tuple(self._state_of(row.incarnation, labels[row.incarnation], now) for row in nodes.rows),
            tuple(nodes.gone),
            old,
            figures(self._counters, self._engine, now),
            self._engine.state.revoked.by_user if request.revoked else {},
        )

    def asked_nodes(self, now: float) -> list[AskedNode]:
        """The attached nodes, for a question."""
        labels = self._engine.state.nodes.labels()
        return [AskedNode(label, each, self._leases.age_s(each, now) > STALL_S) for each, label in labels.items()]

    def with_handlers(self, now: float) -> list[str]:
        """The attached nodes whose application is told who comes and goes, and that have spoken to this server."""
        nodes = self._engine.state.nodes
        return [
            each
            for each, at in self._here.items()
            if each in nodes and self._said[each].handlers and now - at <= STALL_S
        ]

    def _state_of(self, incarnation: str, label: str, now: float) -> NodeState:
        row = next(row for row in self._engine.state.nodes.rows if row.incarnation == incarnation)
        said = self._said.get(incarnation)
        position = said.position if said and said.epoch == self._engine.tail.epoch else 0
        silent_s = self._leases.age_s(incarnation, now)
        return NodeState(
            label,
            incarnation,
            row.name,
            row.version,
            row.attached,
            position,
            said.sessions if said else 0,
            round(silent_s, 3),
            "silent" if silent_s > STALL_S else "attached",
        )

    def _update_feeds(self) -> None:
        rows = [] if self._count_old() else self._engine.state.nodes.rows
        self.feeds.update(said.feeds if (said := self._said.get(row.incarnation)) else None for row in rows)

    def _note_epoch(self) -> None:
        if self._engine.tail.epoch != self._epoch:
            self._epoch = self._engine.tail.epoch
            self._leases.begin_anew()
            self._absences.begin_anew()
            self._settling.begin_anew()

    def _append(self, entry: StateEntry) -> None:
        if not self.may_append or not self._engine.state.accepts(entry):
            return
        before = self._engine.state.nodes.labels() if isinstance(entry, NodeAttached | NodeGone) else {}
        appended = self._engine.append([entry])[0]
        if not isinstance(appended, Position):
            log.debug("%s is not stored: %s", entry, appended)  # a node says it again
            return
        if isinstance(entry, NodeAttached | NodeGone):
            self._tell(entry, {**before, **self._engine.state.nodes.labels()})

    def _tell(self, entry: NodeAttached | NodeGone, labels: Mapping[str, str]) -> None:
        if isinstance(entry, NodeAttached):
            label = labels[entry.incarnation]
            log.info("node %s has attached (%s, %s)", label, entry.version, entry.incarnation)
            if label != entry.name:
                log.warning("there is another node named %s: set STORK_NODE_NAME on each", entry.name)
        else:
            log.info("node %s is gone: it %s", labels[entry.incarnation], _WHY[entry.why])


def _now_ms() -> int:
    return int(clock.wall() * 1000)
