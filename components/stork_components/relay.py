"""
The relay, in the router process: follows the publish server, delivers each push to this node's subscribers, and answers
``io.virge.stork.recover``. ``stork_node.relay`` has its decisions.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallDetails, CloseDetails, PublishOptions, RegisterOptions
from twisted.internet import defer, reactor, task

from stork_components.broadcaster import Broadcaster
from stork_components.commands.attending import Attending
from stork_components.commands.obeying import Obeying
from stork_components.presence import Presence, answering, following, online
from stork_components.publish_server_link import PublishServerLink
from stork_components.questions.busy import NodeBusy
from stork_components.questions.deployment import Deployment
from stork_components.questions.sessions import NodeSessions
from stork_components.questions.why import WhyAnswers, note_recoveries
from stork_components.waiters import Waiters
from stork_crossbar import registry
from stork_crossbar.component import Component, end_worker, in_turn
from stork_crossbar.connections.answering import Answering
from stork_crossbar.connections.closing import BREAK
from stork_crossbar.internals.zmq_reader import Message
from stork_node import clock
from stork_node.broadcast.counters import BroadcastCounters
from stork_node.config.settings import endpoints, interval, seconds, setting, text
from stork_node.errors import CallError, InvalidFrame
from stork_node.metrics.node_figures import RelayState
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.nodes.session_marks import SessionMarks
from stork_node.nodes.table import NodeTable
from stork_node.presence.handlers import PresenceHandlers
from stork_node.process_state import singleton
from stork_node.protocol import bus, replay, uris
from stork_node.protocol.bus import Heartbeat, StateFrame
from stork_node.protocol.commands.documents import RECEIPT, Command
from stork_node.protocol.commands.leases import Nodes
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import ReplayRefused
from stork_node.relay.choosing import UNCONFIRMED, UNCONFIRMED_S, ServerChoice
from stork_node.relay.counters import RelayCounters
from stork_node.relay.history_page import history_page
from stork_node.relay.history_settings import HistorySettings, histories
from stork_node.relay.missed import MissedPushes
from stork_node.relay.recovery import AHEAD_S, Recovery, read_request
from stork_node.relay.steps import Ask
from stork_node.relay.stream import Action, Break, Events, NodeStream, State
from stork_node.transport.endpoints import Port, local_endpoint
from stork_node.why.recent import RecentEvents

_PROBE_S = 1.0
_TICK_S = 0.25
_SWEEP_S = 1.0
_LEASE_S = 1.0
# Heartbeats come each second, and a request for a page is repeated several times in this time.
_STUCK_S = 10.0
_SILENT_S = 3.0
# A history is there within seconds. A log that has no end must not keep a node from opening its ports.
_LONGEST_START_S = 60.0


@dataclass(frozen=True)
class RelaySettings:
    """
    ``extra`` of the relay.

    ``bus`` and ``replay`` are the publish server's PUB and ROUTER endpoints, or those of several that share an engine;
    ``secret`` STORK_BUS_SECRET or empty.
    ``history`` says how much is kept for recovery (see ``history_settings``), ``beat_s`` how often clients get the
    node's position. The node opens its ports when it has caught up with the publish server, or after ``first_frame_s``
    without any sign of it.
    """

    bus: tuple[str, ...] = setting(endpoints, (local_endpoint(Port.PUB),))
    replay: tuple[str, ...] = setting(endpoints, (local_endpoint(Port.REPLAY),))
    secret: str = setting(text, "")
    first_frame_s: float = setting(seconds, 3.0)
    beat_s: float = setting(interval, 20.0)
    history: HistorySettings = setting(histories, HistorySettings())


class Relay(Component):
    """
    For health and metrics: ``epoch``, ``position``, ``is_ready``, ``trouble``, ``lag_s``, ``counters``,
    ``broadcast_counters``, ``state``, and

    Attributes:
        heard_at: when the last frame of the publish server came (reactor's seconds), or the start.
        probed_at: when the router last delivered this component's own probe event.
        server_counters: the publish server's figures, from its last heartbeat.
        presence: who is online.
    """

    Settings = RelaySettings
    settings: RelaySettings

    async def start(self) -> None:
        self._stream = NodeStream(self.settings.history)
        self._broadcaster = Broadcaster(self, reactor)
        self._answering = Answering(reactor, self._broadcaster.waiting_bytes)
        self._recovery = Recovery(self._stream, self._broadcaster.receives)
        self._waiters = Waiters(reactor)
        self._started: defer.Deferred[None] = defer.Deferred()
        self.heard_at = self.probed_at = self._progress_at = self._started_at = reactor.seconds()
        self._heartbeat_lag_s: float | None = None
        self.server_counters: dict[str, float] = {}
        self._was_foreign = False
        self._choice = ServerChoice(self.heard_at)
        self._said_of_server = ""
        self._marks = singleton(SessionMarks)
        self._obeying = Obeying(self._broadcaster, self._marks)
        self.presence = Presence(self._stream, self._broadcaster)
        self._attending = Attending(
            reactor,
            self._say,
            self._marks,
            lambda: self.position,
            changed=self.presence.changed,
            feeds=singleton(ServedFeeds),
            handlers=singleton(PresenceHandlers),
        )
        self.presence.follow(self._attending.presence)
        self._deployment = singleton(Deployment)
        self._recent = singleton(RecentEvents)
        WhyAnswers(self._recent, self._broadcaster, self._stream).answer_in(self._deployment)
        self._deployment.join(reactor, self._say, self._attending)
        NodeBusy(self, self._broadcaster, self._stream).answer_in(self._deployment)
        NodeSessions(self, self._broadcaster).answer_in(self._deployment)
        online.answer_in(self._deployment, self.online_at)
        following.answer_in(self._deployment, self)
        registry.announce(self)
        await self.subscribe(self._probed, uris.PROBE)
        await self.register(self._recover, uris.RECOVER, RegisterOptions(details_arg="details"))
        await self.register(self._online, uris.ONLINE, RegisterOptions(details_arg="details"))
        settings = self.settings
        self._link = PublishServerLink(
            reactor,
            settings.bus,
            settings.replay,
            settings.secret,
            self._heard,
            self._answered,
            self._leased,
            self._cut,
        )
        self._loops = [
            self._each(_PROBE_S, self._probe),
            self._each(_TICK_S, self._tick),
            self._each(_SWEEP_S, self._sweep),
            self._each(_LEASE_S, self._attending.say),
            self._each(settings.beat_s, self._beat),
        ]
        await self._started

    def _say(self, frame: bytes) -> bool:
        return self._link.say(frame)

    def _each(self, interval_s: float, function: Callable[[], None]) -> task.LoopingCall:
        loop = task.LoopingCall(self._or_end, function)
        loop.start(interval_s, now=False)
        return loop

    def onLeave(self, details: CloseDetails) -> None:
        for loop in self._loops:
            loop.stop()
        self._attending.close()
        self._deployment.leave()
        self._link.close()
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
    def trouble(self) -> str:
        """The problem that keeps this node from delivering, in one sentence; empty if there is none."""
        now, waits_since = reactor.seconds(), self._stream.follower.waits_since
        if self._stream.follower.sees_unknown_source(now):
            return "frames of another epoch on the bus: is there a second publish server?"
        # If the bus is silent too, the publish server is away: that is no problem of this node.
        if waits_since is not None and now - waits_since > _STUCK_S and now - self.heard_at < _STUCK_S / 2:
            where = self._link.replay_endpoint
            return f"pushes are missing, and {where} has not replayed them for {now - waits_since:.0f} s"
        return ""

    @property
    def server_trouble(self) -> str:
        """Why the publish server is out of reach, in one sentence; empty if it is not, or nothing is known."""
        return self._link.trouble

    @property
    def engine_trouble(self) -> str:
        """Why the log takes nothing, as the publish server says, in one sentence; empty where there is no trouble."""
        unconfirmed_s = self.server_counters.get(UNCONFIRMED, 0.0)
        if unconfirmed_s < UNCONFIRMED_S:
            return ""
        return f"the engine has confirmed nothing for {unconfirmed_s:.0f} s: pushes wait, or are not confirmed"

    @property
    def lag_s(self) -> float | None:
        """
        Seconds that the node is behind: since it requested missed pushes, or since the last frame, or else the
            travel time of the last heartbeat (by the clocks of both machines). None before the first heartbeat.
        """
        now: float = reactor.seconds()
        waits_since = self._stream.follower.waits_since
        if waits_since is not None:
            return now - waits_since
        return self._heartbeat_lag_s if now - self.heard_at < _SILENT_S else now - self.heard_at

    @property
    def broadcaster(self) -> Broadcaster:
        """Writes to the clients of this node."""
        return self._broadcaster

    def newest_first(self, topic: str) -> Iterator[tuple[bytes, str]]:
        """The events of a topic that this node keeps, with their positions."""
        kept = self._stream.histories.after(topic, 0)
        return ((each.event, f"{self.epoch}:{each.sequence}") for each in reversed(kept))

    @property
    def nodes(self) -> NodeTable:
        """The nodes of the deployment, as the log tells; empty with a publish server of an older release."""
        return self._attending.nodes.table

    async def ask_nodes(self, within_s: float) -> Nodes | None:
        """
        The publish server's table of nodes now; None if it is of an older release.

        Raises:
            defer.TimeoutError: it does not answer.
        """
        return await self._attending.ask_table(within_s) if self._attending.is_understood else None

    @property
    def counters(self) -> RelayCounters:
        return self._stream.counters

    @property
    def broadcast_counters(self) -> BroadcastCounters:
        return self._broadcaster.counters

    def state(self) -> RelayState:
        """The current state, for metrics."""
        here = self.presence.here
        return RelayState(
            lag_seconds=self.lag_s or 0.0,
            heard_seconds=reactor.seconds() - self.heard_at,
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

    # -- following -----------------------------------------------------------------------------------------------------

    def _heard(self, messages: Sequence[Message]) -> None:
        self._or_end(self._follow, messages)

    def _answered(self, messages: Sequence[Message]) -> None:
        self._or_end(self._take_pages, messages)

    def _leased(self, messages: Sequence[Message]) -> None:
        for message in messages:
            try:
                if not self._deployment.heard(message):
                    self._attending.answered(message)
            except ReplayRefused as error:
                self._attending.is_understood = False  # an older release has taken the place of this one
                self._refuse(self._link.replay_endpoint, error)
            except InvalidFrame as error:
                self._refuse(self._link.replay_endpoint, error)

    def _or_end(self, function: Callable[..., None], *args: Any) -> None:
        """
        Call ``function``; after an error, end the process: the relay must not skip a frame. Closed connections tell all
        clients.
        """
        try:
            function(*args)
        except Exception as error:
            self.log.failure("the relay failed")
            end_worker(f"the relay failed: {error!r}")

    def _follow(self, messages: Sequence[Message]) -> None:
        frames = []
        for message in messages:
            try:
                frame = bus.decode_frame(_only(message))
            except InvalidFrame as error:
                self._refuse(self._link.endpoint, error)
                continue
            frames.append(frame)
            if isinstance(frame, Heartbeat):
                self._note(frame)
        if frames:
            self.heard_at = reactor.seconds()
            self._act(self._stream.take(frames, self.heard_at))

    def _note(self, heartbeat: Heartbeat) -> None:
        if heartbeat.position.epoch != self.epoch:
            return
        if heartbeat.nodes:
            self._attending.is_understood = True  # a newer release may have taken its place, and no page is needed
        self.server_counters = heartbeat.counters
        try:
            self._heartbeat_lag_s = max(0.0, clock.wall() - datetime.fromisoformat(heartbeat.time).timestamp())
        except (ValueError, OverflowError, OSError) as error:
            self._refuse(self._link.endpoint, InvalidFrame(f"its time: {error}"))

    def _take_pages(self, messages: Sequence[Message]) -> None:
        for message in messages:
            now = reactor.seconds()
            is_first = self.position is None
            try:
                page = replay.decode_answer(message)
                actions = self._stream.answer(page, now)
            except ReplayRefused as error:
                self._refuse(self._link.replay_endpoint, error)
                self._act(self._stream.refuse(now))
                continue
            except InvalidFrame as error:
                self._refuse(self._link.replay_endpoint, error)
                continue
            self.heard_at = self._progress_at = now
            self._attending.is_understood = page.header.nodes
            # From the log's beginning on, each command is read and obeyed.
            if is_first and page.header.nodes and page.header.after > 0 and len(self._marks):
                self.log.warn("this node had clients before it met its publish server: they have to come back")
                self._obeying.lose(BREAK, "commands were missed")
            self._act(actions)
            if is_first:
                self._attending.say()

    def _refuse(self, endpoint: str, error: InvalidFrame) -> None:
        self.counters.refused += 1
        self.log.warn("a frame from {endpoint} is refused: {error}", endpoint=endpoint, error=error)

    def _cut(self, endpoint: str, why: str) -> None:
        self.counters.refused += 1
        self.log.warn("the connection to {endpoint} is cut: {why}", endpoint=endpoint, why=why)

    def _act(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Events():
                    self._broadcaster.deliver(action.pushes)
                    at = action.pushes[-1].position
                    self._recent.delivered(at.epoch, action.pushes[0].position.sequence, at.sequence)
                    self._note_delivery(action.pushes[-1])
                case Break():
                    self.log.warn(
                        "a break: pushes between {before} and {after} are lost to this node; every subscriber is cut",
                        before=action.before,
                        after=action.after,
                    )
                    self._broadcaster.close_subscribers(BREAK, "pushes were missed")
                    if self._attending.is_understood:
                        self._obeying.lose(BREAK, "commands were missed")
                    self._attending.begin_anew()
                case State():
                    self._obey(action.frame)
                case Ask():
                    self._link.ask(action)
                case _:
                    assert_never(action)
        self._marks.obeyed = self.position
        if self.position and self.position.epoch != self._recent.epoch:
            self._recent.begin(self.position.epoch, self.position.sequence)
        self._waiters.look(self.position)
        if self.is_ready and not self._started.called:
            self.log.info("caught up with the publish server at {position}", position=self.position)
            self._started.callback(None)

    def _obey(self, frame: StateFrame) -> None:
        self._attending.met(frame)
        if isinstance(frame.content, Command):
            if frame.content.kind == RECEIPT:
                self._attending.obeyed(frame.position, self._broadcaster.receipts.take(frame.position.sequence - 1))
                return
            counts = self._obeying.obey(frame.content, frame.position)
            self.counters.commands += 1
            log = self.log.info if any(counts.values()) else self.log.debug
            log(
                "obeyed {command} at {position}: {counts}",
                command=frame.content.kind,
                position=frame.position,
                counts=", ".join(f"{number} {name}" for name, number in counts.items()),
            )
            self._attending.obeyed(frame.position, counts)

    def _note_delivery(self, push: bus.PushFrame) -> None:
        arrived = bus.stamped_at(push.event)
        if arrived is not None:
            self.counters.delivery_seconds.observe(max(0.0, clock.wall() - arrived))

    def _tick(self) -> None:
        now = reactor.seconds()
        self._act(self._stream.tick(now))
        self._look_for_another_server(now)
        if not self._started.called and now - self._progress_at > self.settings.first_frame_s:
            is_silent = self.heard_at <= self._progress_at
            self.log.warn(
                "nothing heard from the publish server at {endpoint} yet",
                endpoint=self._link.endpoint if is_silent else self._link.replay_endpoint,
            )
            self._started.callback(None)
        if not self._started.called and now - self._started_at > _LONGEST_START_S:
            self.log.warn(
                "still catching up with {endpoint}, at {position}",
                endpoint=self._link.replay_endpoint,
                position=self.position,
            )
            self._started.callback(None)
        self._tell_of_foreign(now)
        self._tell_of_server()

    def _look_for_another_server(self, now: float) -> None:
        if not self._link.has_others:
            return
        why = self._choice.why_change(self.heard_at, self.server_counters.get(UNCONFIRMED, 0.0), now)
        if why:
            before = self._link.endpoint
            self._link.change_over(self._stream.follower.waits_since is not None)
            self.server_counters = {}
            self.log.warn(
                "the publish server at {before} {why}: this node follows {after}",
                before=before,
                why=why,
                after=self._link.endpoint,
            )

    def _tell_of_server(self) -> None:
        trouble = self._link.trouble
        if trouble and trouble != self._said_of_server:
            self.log.warn("{trouble}", trouble=trouble)
        self._said_of_server = trouble

    def _tell_of_foreign(self, now: float) -> None:
        is_foreign = self._stream.follower.sees_unknown_source(now)
        if is_foreign and not self._was_foreign:
            self.log.warn("{trouble}", trouble=self.trouble)
        self._was_foreign = is_foreign

    def _sweep(self) -> None:
        self._stream.histories.sweep(reactor.seconds())
        self._stream.presence_events.sweep(reactor.seconds())

    # -- the node's own events, and recovery ---------------------------------------------------------------------------

    def _probe(self) -> None:
        self.publish(uris.PROBE, options=PublishOptions(exclude_me=False))

    def _probed(self) -> None:
        """The router has delivered the probe event: it still can."""
        self.probed_at = reactor.seconds()

    def _beat(self) -> None:
        # Before the node has caught up, clients did not get the pushes that it knows.
        if self.is_ready and self.position:
            self._broadcaster.beat(self.position)

    def _recover(self, /, *args: Any, details: CallDetails, **kwargs: Any) -> "defer.Deferred[dict[str, Any]]":
        return in_turn(self._answer(details.caller, args, kwargs))

    def _online(self, /, *args: Any, details: CallDetails, **kwargs: Any) -> "defer.Deferred[dict[str, Any]]":
        return in_turn(self._answer_online(details, args, kwargs))

    async def _answer_online(
        self, details: CallDetails, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            topic, has_users = answering.read_question(args, kwargs)
            await answering.check_permission(details, topic)
            return self.online(topic, has_users)
        except CallError as error:
            raise ApplicationError(error.uri, error.message) from None

    def online(self, topic: str, has_users: bool = True) -> dict[str, Any]:
        """
        Who is online in a topic: ``{"users": [{"authid", "info", "since"}], "count", "position"}``.

        Raises:
            CallError: this node cannot say it now.
        """
        return answering.answer(self.presence, topic, has_users, self.position, reactor.seconds())

    async def online_at(self, topic: str, has_users: bool, at: Position | None) -> dict[str, Any]:
        """
        As ``online``, once this node has come to a position.

        Raises:
            CallError: it cannot say it, or has not come so far.
        """
        answering.check_topic(topic)
        if at is not None:
            await self._reach(at)
        return self.online(topic, has_users)

    async def history(self, topic: str, since: Position | None, limit: int) -> bytes:
        """
        A page of a topic's history (``relay.history_page``).

        Raises:
            CallError: this node has not caught up, or has not come to ``since``.
        """
        await self._reach(since)
        here = self.position
        assert here is not None  # noqa: S101  # or it would be behind
        return history_page(self._stream.histories, here, topic, since, limit)

    async def missed(self, topic: str, since: Position | None, ids: Collection[int]) -> MissedPushes:
        """
        What a client missed in a topic; see ``MissedPushes``.

        Raises:
            CallError: this node has not caught up, or has not come to ``since``.
        """
        await self._reach(since)
        return MissedPushes(self._stream, topic, since, ids)

    async def _reach(self, since: Position | None) -> None:
        give_up_at = reactor.seconds() + AHEAD_S
        while goal := self._recovery.is_behind(since):
            if not await self._waiters.until(goal, give_up_at - reactor.seconds()):
                raise self._recovery.not_ready()

    async def _answer(self, session_id: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        give_up_at = reactor.seconds() + AHEAD_S
        try:
            request = read_request(args, kwargs)
            await self._answering.turn(session_id)
            while goal := self._recovery.lacks(session_id, request):
                if not await self._waiters.until(goal, give_up_at - reactor.seconds()):
                    raise self._recovery.not_ready()
                await self._answering.turn(session_id)
            answers = self._recovery.answer(session_id, request)
            note_recoveries(self._recent, session_id, request, answers)
            return answers
        except CallError as error:
            raise ApplicationError(error.uri, error.message) from None
        except Exception:
            self.log.failure("recover failed for session {session_id}", session_id=session_id)
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None


def _only(message: Message) -> bytes:
    if len(message) != 1:
        raise InvalidFrame(f"{len(message)} frames where one is expected")
    return message[0]
