"""
The relay, in the router process: follows the publish server, delivers each push to this node's subscribers, and answers
``io.virge.stork.recover``. ``stork_node.relay`` has its decisions.

A push comes by ``following``, which asks the node's stream what to do with it; ``acting`` does it. ``reading`` answers
who asks for what was before.
"""

from collections.abc import Callable
from typing import Any

from autobahn.wamp.types import CallDetails, CloseDetails, PublishOptions, RegisterOptions
from twisted.internet import defer, reactor, task

from stork_components.broadcaster import Broadcaster
from stork_components.commands.attending import Attending
from stork_components.presence import Presence, handlers, online
from stork_components.questions.busy import NodeBusy
from stork_components.questions.deployment import Deployment
from stork_components.questions.sessions import NodeSessions
from stork_components.questions.why import WhyAnswers
from stork_components.relay.acting import Acting
from stork_components.relay.following import Following
from stork_components.relay.health import RelayHealth
from stork_components.relay.reading import Reading
from stork_components.relay.settings import RelaySettings
from stork_components.relay.starting import Starting
from stork_components.relay.waiters import Waiters
from stork_crossbar import registry
from stork_crossbar.component import Component, in_turn, or_end
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.metrics.node_figures import RelayState
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.nodes.session_marks import SessionMarks
from stork_node.presence.handlers import PresenceHandlers
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.commands.leases import Nodes
from stork_node.protocol.positions import Position
from stork_node.relay.counters import RelayCounters
from stork_node.relay.stream import NodeStream
from stork_node.why.recent import RecentEvents

__all__ = ["Relay", "RelaySettings"]

_PROBE_S = 1.0
_TICK_S = 0.25
_SWEEP_S = 1.0
_LEASE_S = 1.0


class Relay(Component):
    """
    Other components find it in the registry.

    Attributes:
        health: what is wrong, and how far behind the node is.
        reading: histories, what a client missed, and who is online.
        broadcaster: writes to the clients of this node.
        presence: who is online on all nodes.
    """

    Settings = RelaySettings
    settings: RelaySettings

    async def start(self) -> None:
        stream = self._stream = NodeStream(self.settings.history)
        marks, recent, waiters = singleton(SessionMarks), singleton(RecentEvents), Waiters(reactor)
        self._deployment = singleton(Deployment)
        self.broadcaster = Broadcaster(self, reactor, break_spread_s=self.settings.break_spread_s)
        self.presence = Presence(stream, self.broadcaster)
        self.reading = Reading(reactor, stream, self.broadcaster, self.presence, recent, waiters)
        self._starting = Starting(reactor, stream, self.settings.first_frame_s)
        self._following = Following(reactor, stream, self._deployment, marks, self._starting.look)
        self.health = RelayHealth(reactor, stream, self._following)
        self._attending = Attending(
            reactor,
            self._following.say,
            marks,
            lambda: self.position,
            changed=self.presence.changed,
            feeds=singleton(ServedFeeds),
            handlers=singleton(PresenceHandlers),
        )
        self.presence.follow(self._attending.presence)
        acting = Acting(stream, self.broadcaster, self._attending, marks, recent, waiters, self._following.ask)
        self._following.begin(self.settings, acting, self._attending)
        self._answer_other_nodes(recent)
        registry.announce(self)
        await self.subscribe(self._probed, uris.PROBE)
        await self.register(self._recover, uris.RECOVER, RegisterOptions(details_arg="details"))
        await self.register(self._online, uris.ONLINE, RegisterOptions(details_arg="details"))
        self._loops = [
            _each(_PROBE_S, self._probe),
            _each(_TICK_S, self._tick),
            _each(_SWEEP_S, self._sweep),
            _each(_LEASE_S, self._attending.say),
            _each(self.settings.beat_s, self._beat),
        ]
        await self._starting.done

    def _answer_other_nodes(self, recent: RecentEvents) -> None:
        self._deployment.join(reactor, self._following.say, self._attending)
        WhyAnswers(recent, self.broadcaster, self._stream).answer_in(self._deployment)
        NodeBusy(self, self.broadcaster, self._stream).answer_in(self._deployment)
        NodeSessions(self, self.broadcaster).answer_in(self._deployment)
        online.answer_in(self._deployment, self.reading.online_at)
        handlers.answer_in(self._deployment, self)

    def onLeave(self, details: CloseDetails) -> None:
        for loop in self._loops:
            loop.stop()
        self._attending.close()
        self._deployment.leave()
        self._following.close()
        super().onLeave(details)

    # -- what others look at -------------------------------------------------------------------------------------------

    @property
    def position(self) -> Position | None:
        """All pushes up to here were delivered; None until replay has told where to begin."""
        return self._stream.position

    @property
    def epoch(self) -> str:
        """The epoch that is followed; empty before there is one."""
        return self.position.epoch if self.position else ""

    @property
    def is_ready(self) -> bool:
        """Whether the node has caught up since its start or its last break, so that it answers ``recover``."""
        return self._stream.is_ready

    @property
    def counters(self) -> RelayCounters:
        return self._stream.counters

    @property
    def broadcast_counters(self) -> BroadcastCounters:
        return self.broadcaster.counters

    @property
    def server_counters(self) -> dict[str, float]:
        """The publish server's figures, from its last heartbeat."""
        return self._following.server_counters

    async def ask_nodes(self, within_s: float) -> Nodes | None:
        """
        The publish server's table of nodes now; None if it is of an older release.

        Raises:
            defer.TimeoutError: it does not answer.
        """
        return await self._attending.ask_table(within_s) if self._attending.is_understood else None

    def state(self) -> RelayState:
        """The current state, for metrics."""
        here = self.presence.here
        return RelayState(
            lag_seconds=self.health.lag_s or 0.0,
            heard_seconds=reactor.seconds() - self.health.heard_at,
            position=self.position.sequence if self.position else 0,
            caught_up=int(self.is_ready),
            attached=int(self._attending.is_attached),
            history_bytes=self._stream.histories.bytes,
            history_topics=self._stream.histories.topics,
            online_users=len(here.table),
            online_topics=len(here.table.rooms),
            online_here=len(here.local),
            online_unsaid=here.local.news_count,
        )

    # -- in turns ------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._following.tick()
        self._starting.tick(self._following)
        self.health.tell()

    def _sweep(self) -> None:
        self._stream.histories.sweep(reactor.seconds())
        self._stream.presence_events.sweep(reactor.seconds())

    def _beat(self) -> None:
        # Before the node has caught up, clients did not get the pushes that it knows.
        if self.is_ready and self.position:
            self.broadcaster.beat(self.position)

    def _probe(self) -> None:
        self.publish(uris.PROBE, options=PublishOptions(exclude_me=False))

    def _probed(self) -> None:
        """The router has delivered the probe event: it still can."""
        self.health.probed_at = reactor.seconds()

    # -- procedures ----------------------------------------------------------------------------------------------------

    def _recover(self, /, *args: Any, details: CallDetails, **kwargs: Any) -> "defer.Deferred[dict[str, Any]]":
        return in_turn(self.reading.recover(details.caller, args, kwargs))

    def _online(self, /, *args: Any, details: CallDetails, **kwargs: Any) -> "defer.Deferred[dict[str, Any]]":
        return in_turn(self.reading.answer_online(details, args, kwargs))


def _each(interval_s: float, function: Callable[[], None]) -> task.LoopingCall:
    loop = task.LoopingCall(or_end, "the relay", function)
    loop.start(interval_s, now=False)
    return loop
