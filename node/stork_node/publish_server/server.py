"""The publish server: one thread, one poll loop, one append for all pushes that are waiting."""

import logging
import os
import time
from collections.abc import Iterator

import zmq

from stork_node.bus import encode_heartbeat
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.ids import RecentIds
from stork_node.publish_server.intake import Intake, Refusal
from stork_node.publish_server.log import Log, MemoryLog
from stork_node.publish_server.refusal_log import RefusalLog
from stork_node.publish_server.requests import Arrival, read_pull, read_router
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.publish_server.sockets import open_sockets
from stork_node.push_refusals import kind_of
from stork_node.timestamps import format_timestamp

log = logging.getLogger("stork_node.publish_server")

# What one wake-up takes of each socket: enough that an append is shared, little enough that heartbeats stay on time.
_BATCH_MESSAGES = 1_000
_BATCH_BYTES = 16 << 20
_STORAGE_RETRY_S = 1.0
_DRAIN_S = 1.0


class PublishServer:
    """
    Binds at once; ``serve`` runs it in the calling thread until ``stop``.

    Raises:
        ConfigError: an endpoint that cannot be bound.
    """

    def __init__(self, settings: PublishServerSettings, push_log: Log | None = None) -> None:
        self.counters = Counters()
        self._log = push_log or MemoryLog()
        self._intake = Intake(self._log, RecentIds(), self.counters)
        self._refusals = RefusalLog(log)
        self._heartbeat_s = settings.heartbeat_s
        self._next_heartbeat = time.monotonic()
        self._closed = False
        self._failure = ""  # why the log took nothing the last time
        self._held: list[Arrival] = []  # from PULL, waiting for a log that works again
        self._sockets = open_sockets(settings)
        self._wake_reader, self._wake_writer = os.pipe()
        self._poller = zmq.Poller()
        self._poller.register(self._wake_reader, zmq.POLLIN)
        self._poller.register(self._sockets.router, zmq.POLLIN)
        self._poller.register(self._sockets.pull, zmq.POLLIN)
        if self._sockets.doorkeeper:
            self._poller.register(self._sockets.doorkeeper.socket, zmq.POLLIN)

    @property
    def pull_endpoint(self) -> str:
        """Where PULL is bound, with its real port."""
        return _endpoint(self._sockets.pull)

    @property
    def router_endpoint(self) -> str:
        """Where ROUTER is bound, with its real port."""
        return _endpoint(self._sockets.router)

    @property
    def pub_endpoint(self) -> str:
        """Where PUB is bound, with its real port."""
        return _endpoint(self._sockets.pub)

    def serve(self) -> None:
        """Run until ``stop``; then finish what has arrived, and close. Once only."""
        log.info(
            "publish server is up: push %s, answered %s, bus %s, epoch %s%s",
            self.pull_endpoint,
            self.router_endpoint,
            self.pub_endpoint,
            self._log.tail.epoch,
            ", CURVE" if self._sockets.doorkeeper else "",
        )
        for endpoint in () if self._sockets.doorkeeper else self._open_endpoints():
            log.warning(
                "whoever reaches %s can use it: set STORK_BUS_SECRET, or keep it in a private network", endpoint
            )
        try:
            while not self._wait():
                self._turn()
            self._finish()
        finally:
            self.close()
        log.info("publish server has stopped at %s", self._log.tail)

    def stop(self) -> None:
        """Make ``serve`` return; from any thread or signal handler."""
        if not self._closed:
            os.write(self._wake_writer, b".")

    def close(self) -> None:
        """Close a server that does not serve; waits up to 2 s for what is not sent yet."""
        self._closed = True
        self._sockets.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _open_endpoints(self) -> list[str]:
        endpoints = [self.pull_endpoint, self.router_endpoint, self.pub_endpoint]
        return [each for each in endpoints if not each.startswith(("tcp://127.", "tcp://[::1]"))]

    def _wait(self) -> bool:
        """Wait for work; True when asked to stop."""
        now = time.monotonic()
        timers = [self._next_heartbeat - now, self._refusals.due(now), _STORAGE_RETRY_S if self._held else None]
        timeout_s = max(0.0, min(timer for timer in timers if timer is not None))
        ready = dict(self._poller.poll(int(timeout_s * 1000) + 1))
        doorkeeper = self._sockets.doorkeeper
        if doorkeeper and doorkeeper.socket in ready and not doorkeeper.answer():
            self.counters.strangers += 1
            self._refusals.note("key", "a client whose key is not admitted", "CURVE", time.monotonic())
        return self._wake_reader in ready

    def _turn(self) -> int:
        """Take, store, publish, answer, in this order; returns how many documents there were."""
        arrivals = self._arrivals()
        now = time.monotonic()
        if arrivals:
            outcome = self._intake.take([arrival.request for arrival in arrivals], now)
            for frame in outcome.frames:
                self._sockets.pub.send(frame, zmq.NOBLOCK)
            for arrival, answer in zip(arrivals, outcome.answers, strict=True):
                if arrival.envelope:
                    self._answer(arrival.envelope, answer)
                if isinstance(arrival.request, Refusal):
                    where = self.router_endpoint if arrival.envelope else self.pull_endpoint
                    self._refusals.note(kind_of(arrival.request.reason), arrival.request.reason, where, now)
            if outcome.frames or outcome.failure:
                self._note_storage(arrivals, outcome.failure)
            log.debug("%d documents, %d published", len(arrivals), len(outcome.frames))
        self._refusals.summarize(now)
        if now >= self._next_heartbeat:
            self._send_heartbeat(now)
        return len(arrivals)

    def _arrivals(self) -> list[Arrival]:
        stamp = format_timestamp(time.time())
        arrivals, self._held = self._held, []
        if not arrivals:
            arrivals = [read_pull(frames, stamp) for frames in _waiting(self._sockets.pull)]
        arrivals += [read_router(frames, stamp) for frames in _waiting(self._sockets.router)]
        return arrivals

    def _answer(self, envelope: list[bytes], answer: bytes) -> None:
        try:
            self._sockets.router.send_multipart([*envelope, answer], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.counters.unreachable += 1

    def _note_storage(self, arrivals: list[Arrival], failure: str) -> None:
        if failure:
            # Nobody can be told, so that PULL's are kept, and no more are read, until the log takes them.
            self._held = [it for it in arrivals if not it.envelope and not isinstance(it.request, Refusal)]
        if failure != self._failure:
            if failure:
                log.error("pushes cannot be stored, PULL waits: %s", failure)
            else:
                log.info("pushes can be stored again")
            self._failure = failure
        # What waits on PULL would wake the loop again and again.
        self._poller.register(self._sockets.pull, 0 if self._held else zmq.POLLIN)

    def _send_heartbeat(self, now: float) -> None:
        self._sockets.pub.send(
            encode_heartbeat(self._log.tail, self._log.run, format_timestamp(time.time()), {}), zmq.NOBLOCK
        )
        self.counters.heartbeats += 1
        self._next_heartbeat = max(now, self._next_heartbeat + self._heartbeat_s)

    def _finish(self) -> None:
        deadline = time.monotonic() + _DRAIN_S
        while self._turn() and time.monotonic() < deadline:
            pass
        if self._held:
            log.error("%d pushes of PULL could not be stored, and are lost", len(self._held))


def _waiting(socket: "zmq.Socket[bytes]") -> Iterator[list[bytes]]:
    """The messages that wait on ``socket``, within the limits of a batch."""
    size = 0
    for _ in range(_BATCH_MESSAGES):
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        yield frames
        size += sum(map(len, frames))
        if size > _BATCH_BYTES:
            return


def _endpoint(socket: "zmq.Socket[bytes]") -> str:
    return bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()
