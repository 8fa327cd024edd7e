"""The publish server: one thread, one poll loop, one append for all pushes that are waiting."""

import logging
import time
from collections.abc import Container, Sequence
from functools import partial

import zmq
from msgspec.structs import replace

from stork_node import clock
from stork_node.clock import SuspendAwareClock
from stork_node.consumers.telling import Handlers
from stork_node.engines.interface import Engine
from stork_node.engines.opening import open_engine
from stork_node.protocol.bus import NODES_PREFIX, encode_heartbeat
from stork_node.protocol.positions import Position
from stork_node.protocol.push_refusals import kind_of
from stork_node.protocol.timestamps import format_timestamp
from stork_node.publish_server.command_answers import CommandAnswers
from stork_node.publish_server.counters import Counters, figures
from stork_node.publish_server.intake import Arrival, Awaited, Intake, Outcome
from stork_node.publish_server.node_service import NodeService
from stork_node.publish_server.refusal_log import RefusalLog
from stork_node.publish_server.replay_service import ReplayService
from stork_node.publish_server.requests import Answers, read_all, read_pull
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.publish_server.sockets import answer_peer, bound_to, open_sockets, waiting
from stork_node.push_log import BeyondLog, StorageFailed, log_folder
from stork_node.transport.peer import is_loopback
from stork_node.wakeup import Wakeup
from stork_node.webhooks.feeding import Webhooks
from stork_node.webhooks.forms import Form

log = logging.getLogger("stork_node.publish_server")

_STORAGE_RETRY_S = 1.0
# Pushes with ids wait for an engine that is away; their pushers give up earlier, or repeat them.
_HOLD_S, _MOST_HELD = 30.0, 2_000
_DRAIN_S = 1.0
# A turn waits a second at most, for the log's upkeep, and works for less: what is longer was no work.
_LONGEST_TURN_S = 3.0

START_GRACE_S = 1.0
"""
How long a server takes no pushes at its start on a log that has numbers: a relay that has seen more of them than the
log has, because an older copy took its place, can say so before any of them is given a second time.
"""
_GRACE_HEARTBEAT_S = 0.1


class PublishServer:
    """
    Takes its log and binds at once; ``serve`` runs it in the calling thread until ``stop``.

    Args:
        engine: where the log is; closed with the server. By default the one that ``settings`` name is opened.
        webhooks: who is told of users and nodes; their positions are kept in the folder of the log, or in the engine.

    Raises:
        ConfigError: an endpoint that cannot be bound, or a log that cannot be had.
        DamagedLog: damage to the log that a crash does not explain.
    """

    def __init__(
        self,
        settings: PublishServerSettings,
        engine: Engine | None = None,
        webhooks: Sequence[Form] = (),
    ) -> None:
        self.counters = Counters()
        now = time.monotonic()
        self._clock = SuspendAwareClock(_LONGEST_TURN_S, now)
        self._engine = engine or open_engine(settings, self._clock.now)
        self._published = self._engine.tail
        self._refusals = RefusalLog(log)
        self._heartbeat_s = settings.heartbeat_s
        self._is_encrypted = settings.secret != ""
        self._depth = settings.depth
        self._next_heartbeat = now
        self._grace_ends = now + START_GRACE_S if self._engine.continues else now
        self._takes_pushes = False
        self._closed = False
        self._ready: Container[object] = ()  # sockets that have something to be read, and events
        self._failure = ""  # why the log took nothing the last time
        self._repeated: list[Arrival] = []  # from ROUTER, with ids, while the engine is away
        self._held: list[Arrival] = []  # from PULL, waiting for a log that works again
        try:
            self._sockets = open_sockets(settings)
            self._nodes = NodeService(self._engine, self.counters, self._count_old)
            self._intake = Intake(self._engine, self.counters, warn=self._nodes.feeds.warning)
        except BaseException:
            self._engine.close()
            raise
        self._answers = Answers(partial(answer_peer, self._sockets.router, counters=self.counters))
        self._command_answers = CommandAnswers(self._engine)
        self._replay = ReplayService(
            self._sockets.replay,
            self._engine,
            self.counters,
            self._publish_committed,
            self._send_heartbeat,
            self._may_erase,
            self._nodes,
            self._count_old,
        )
        self._news = Wakeup()
        folder = log_folder(settings.data)
        self._handlers = Handlers(
            self._engine, folder, self._nodes.with_handlers, self._replay.questions.ask_one, self._news.wake
        )
        self._webhooks = Webhooks(webhooks, self._engine, folder, self._handlers)
        self._stopping = Wakeup()
        self._poller = zmq.Poller()
        self._poller.register(self._stopping.fileno, zmq.POLLIN)
        self._poller.register(self._news.fileno, zmq.POLLIN)
        self._poller.register(self._sockets.replay.socket, zmq.POLLIN)
        self._poller.register(self._sockets.pub.socket, zmq.POLLIN)
        if self._sockets.zap_handler:
            self._poller.register(self._sockets.zap_handler.socket, zmq.POLLIN)
        if self._engine.wake is not None:
            self._poller.register(self._engine.wake, zmq.POLLIN)
        for each in self._sockets.all:
            self._poller.register(each.events, zmq.POLLIN)

    @property
    def pull_endpoint(self) -> str:
        """Where PULL is bound, with its real port."""
        return bound_to(self._sockets.pull)

    @property
    def router_endpoint(self) -> str:
        """Where ROUTER is bound, with its real port."""
        return bound_to(self._sockets.router)

    @property
    def pub_endpoint(self) -> str:
        """Where PUB is bound, with its real port."""
        return bound_to(self._sockets.pub)

    @property
    def replay_endpoint(self) -> str:
        """Where replay is bound, with its real port."""
        return bound_to(self._sockets.replay)

    @property
    def position(self) -> Position:
        """The tail of its log."""
        return self._engine.tail

    def serve(self) -> None:
        """Run until ``stop``; then finish what has arrived, and close. Once only."""
        log.info(
            "publish server is up: push %s, answered %s, bus %s, replay %s, %s at %s%s",
            self.pull_endpoint,
            self.router_endpoint,
            self.pub_endpoint,
            self.replay_endpoint,
            self._engine.place,
            self._engine.tail,
            ", CURVE" if self._is_encrypted else "",
        )
        for endpoint in () if self._is_encrypted else self._open_endpoints():
            log.warning(
                "whoever reaches %s can use it: set STORK_BUS_SECRET, or keep it in a private network", endpoint
            )
        self._webhooks.start()
        try:
            while not self._wait():
                self._turn(self._ready)
            self._finish()
        finally:
            self.close()
        log.info("publish server has stopped at %s", self._engine.tail)

    def stop(self) -> None:
        """Make ``serve`` return; from any thread or signal handler."""
        if not self._closed:
            self._stopping.wake()

    def close(self) -> None:
        """Close a server that does not serve; waits up to 2 s for what is not sent yet."""
        self._closed = True
        self._webhooks.close()
        self._engine.close()
        self._sockets.close()
        self._news.close()
        self._stopping.close()

    def _open_endpoints(self) -> list[str]:
        endpoints = [self.pull_endpoint, self.router_endpoint, self.pub_endpoint, self.replay_endpoint]
        return [each for each in endpoints if not each.startswith(("tcp://127.", "tcp://[::1]"))]

    def _wait(self) -> bool:
        """Wait for work; True when asked to stop."""
        now = time.monotonic()
        timers = [
            self._next_heartbeat - now,
            self._engine.due(now),
            self._refusals.due(now),
            self._sockets.watch.due(now),
            _STORAGE_RETRY_S if self._held or self._repeated else None,
            None if self._takes_pushes else self._grace_ends - now,
            0.0 if self._takes_pushes and self._replay.has_work else None,
            0.0 if self._webhooks.has_work else None,
            self._command_answers.due(now),
            self._replay.questions.due(now),
        ]
        timeout_s = max(0.0, min(timer for timer in timers if timer is not None))
        ready = self._ready = dict(self._poller.poll(int(timeout_s * 1000) + 1))
        zap_handler = self._sockets.zap_handler
        if zap_handler and zap_handler.socket in ready and not zap_handler.answer():
            self._refuse_stranger("a peer whose key is not admitted", zap_handler.domain, time.monotonic())
        return self._stopping.fileno in ready

    def _refuse_stranger(self, why: str, where: str, now: float) -> None:
        self.counters.strangers += 1
        self._refusals.note_peer(why, where, now)

    def _turn(self, ready: Container[object]) -> int:
        """Take, store, publish, answer, in this order; returns how many documents there were."""
        now = time.monotonic()
        if self._news.fileno in ready:
            self._news.drain()
        self._sockets.watch.work(now, ready)
        if self._sockets.pub.socket in ready:
            self._sockets.pub.take_prefixes()
        arrivals = self._arrivals(ready, now) if self._takes_pushes else []
        self._end_grace(now)
        awake = self._clock.advance(now)
        if arrivals:
            outcome = self._intake.take(arrivals, awake)
            self._publish_committed()
            self._answer(arrivals, outcome, now)
            self._note_refusals(arrivals, outcome, now)
            if outcome.stored or outcome.failure:
                self._note_storage(arrivals, outcome, now)
            log.debug("%d documents, %d published", len(arrivals), outcome.stored)
        self._nodes.may_append = self._takes_pushes
        if self._sockets.replay.socket in ready:
            self._replay.answer_one(now)
        else:
            self._sockets.replay.note_drained()
        self._replay.questions.work(now)
        self._nodes.end_silent(now, has_read_all=self._sockets.replay.socket not in ready)
        self._publish_committed()
        self._answer_commands(now, awake)
        if self._takes_pushes and self._replay.has_work:
            self._replay.erase(now)
        for why, socket in self._sockets.watch.strangers():
            self._refuse_stranger(why, bound_to(socket), now)
        for why in self._sockets.watch.cuts():
            self.counters.cut += 1
            self._refusals.note("peer", why, "ZMQ", now)
        self._webhooks.work(now, awake)
        self._engine.tick(now)
        self._refusals.summarize(now)
        if now >= self._next_heartbeat:
            self._send_heartbeat()
            pause_s = self._heartbeat_s if self._takes_pushes else min(self._heartbeat_s, _GRACE_HEARTBEAT_S)
            self._next_heartbeat = max(now, self._next_heartbeat + pause_s)
        return len(arrivals)

    def _answer(self, arrivals: Sequence[Arrival], outcome: Outcome, now: float) -> None:
        for arrival, answer in zip(arrivals, outcome.answers, strict=True):
            if isinstance(answer, Awaited):
                self._command_answers.wait(arrival.envelope, answer, now)
            elif arrival.envelope and answer is not None:
                self._answers.add(arrival.envelope, answer, is_bundled=arrival.is_bundled)
        self._answers.flush()

    def _note_refusals(self, arrivals: Sequence[Arrival], outcome: Outcome, now: float) -> None:
        for number, reason in outcome.refused.items():
            self._refusals.note(kind_of(reason), reason, self._way_of(arrivals[number]), now)
        for number, warning in outcome.warnings.items():
            self._refusals.note_warning(warning, self._way_of(arrivals[number]), now)

    def _way_of(self, arrival: Arrival) -> str:
        return self.router_endpoint if arrival.envelope else self.pull_endpoint

    def _answer_commands(self, now: float, awake: float) -> None:
        if self._command_answers:
            self._send_command_answers(self._command_answers.settle(self._count_old(), now))
        self._command_answers.forget_old(awake)

    def _send_command_answers(self, answers: list[tuple[list[bytes], bytes]]) -> None:
        for envelope, answer in answers:
            answer_peer(self._sockets.router, [*envelope, answer], self.counters)

    def _count_old(self) -> int:
        """How many relays are on the bus that do not say that they obey commands."""
        return sum(1 for peer in self._sockets.pub.peers if peer.named and NODES_PREFIX not in peer.named)

    def _end_grace(self, now: float) -> None:
        if not self._takes_pushes and now >= self._grace_ends:
            self._takes_pushes = True
            self._poller.register(self._sockets.router.socket, zmq.POLLIN)
            self._poller.register(self._sockets.pull.socket, zmq.POLLIN)

    def _arrivals(self, ready: Container[object], now: float) -> list[Arrival]:
        stamp = format_timestamp(clock.wall())
        arrivals, self._held = self._held, []
        # To ask a socket that has nothing takes as long as to take a push.
        pull, router = self._sockets.pull, self._sockets.router
        if not arrivals and pull.socket in ready:
            arrivals = [read_pull(frames, stamp, self._depth) for frames in waiting(pull)]
        elif not arrivals:
            pull.note_drained()
        repeated, self._repeated = self._repeated, []
        arrivals += [arrival for arrival in repeated if arrival.until > now]
        if router.socket in ready:
            for frames in waiting(router):
                arrivals += read_all(frames, stamp, self._depth)
        else:
            router.note_drained()
        return arrivals

    def _note_storage(self, arrivals: list[Arrival], outcome: Outcome, now: float) -> None:
        failure = outcome.failure
        # Nobody can be told, so that PULL's are kept, and no more are read, until the log takes them.
        self._held = [arrivals[number] for number in sorted(outcome.unstored) if not arrivals[number].envelope]
        self._repeated = [
            arrivals[number]
            if arrivals[number].until < float("inf")
            else replace(arrivals[number], until=now + _HOLD_S)
            for number in sorted(outcome.repeatable)[:_MOST_HELD]
            if arrivals[number].envelope
        ]
        if failure != self._failure:
            if failure:
                log.error("cannot store pushes; PULL is paused, and ROUTER answers storage_failed: %s", failure)
            else:
                log.info("can store pushes again; PULL goes on")
            self._failure = failure
        # What waits on PULL would wake the loop again and again.
        self._poller.register(self._sockets.pull.socket, 0 if self._held else zmq.POLLIN)

    def _publish_committed(self) -> None:
        if self._published.epoch != self._engine.tail.epoch:
            self._published = Position(self._engine.tail.epoch, self._engine.floor)
            self._send_heartbeat()
        while self._published.sequence < self._engine.tail.sequence:
            try:
                followed = self._engine.follow(self._published.sequence)
            except BeyondLog:  # relays see the gap, and break where they cannot have it replayed
                self._published = Position(self._engine.tail.epoch, self._engine.floor)
                continue
            except StorageFailed:
                return
            for frame in followed.frames:
                self._sockets.pub.publish(frame)
            self._webhooks.note(self._published, followed.frames, followed.position)
            self._published = followed.position

    def _send_heartbeat(self) -> None:
        self.counters.heartbeats += 1
        stamp = format_timestamp(clock.wall())
        self._sockets.pub.publish(
            encode_heartbeat(
                self._engine.tail,
                self._engine.run,
                stamp,
                figures(self.counters, self._engine, time.monotonic()) | self._webhooks.figures(),
                nodes=True,
            )
        )

    def _may_erase(self, address: str, right: str) -> bool:
        return right == "erase" if self._is_encrypted else is_loopback(address)

    def _finish(self) -> None:
        deadline = time.monotonic() + _DRAIN_S
        every = dict.fromkeys(socket for each in self._sockets.all for socket in (each.socket, each.events))
        while self._turn(every) and time.monotonic() < deadline:
            pass
        self._send_command_answers(self._command_answers.end(self._count_old()))
        if self._held:
            log.error("%d pushes of PULL could not be stored, and are lost", len(self._held))
