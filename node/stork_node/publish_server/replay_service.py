"""The replay port: relays that ask for pages and say that they live, and operators who have topics erased."""

import errno
import logging
from collections.abc import Callable

import zmq

from stork_node.engines.interface import Engine
from stork_node.errors import InvalidFrame, InvalidTopic
from stork_node.protocol.commands.leases import Lease, NodesRequest, encode_node_answer
from stork_node.protocol.commands.questions import Ask, Reply
from stork_node.protocol.presence.entries import check_topics
from stork_node.protocol.presence.snapshots import PresenceRequest
from stork_node.protocol.push_refusals import shorten
from stork_node.protocol.replay import EraseRequest, ReplayRequest, decode_request, encode_refusal
from stork_node.protocol.topics import Topic
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.erasures import Erasures
from stork_node.publish_server.node_service import NodeService
from stork_node.publish_server.questions import Questions
from stork_node.publish_server.replaying import Claim, Replay
from stork_node.publish_server.requests import split_envelope
from stork_node.publish_server.sockets import answer_peer
from stork_node.push_log import StorageFailed
from stork_node.transport.peers import WatchedSocket

log = logging.getLogger("stork_node.publish_server")

MOST_ERASURES = 100
"""How many may wait at once."""


class ReplayService:
    """
    Serves the ROUTER ``socket``; a turn takes one request, so that pushes need not wait for many.

    ``questions``: those that nodes are asked; ``due`` and ``work`` are to be called in each turn.

    Args:
        publish: publishes what was appended.
        beat: sends a heartbeat now.
        may_erase: whether a peer may erase topics, by its address and what the ZAP handler says of it.
        nodes: takes leases.
        count_old: how many nodes follow that have no leases.
    """

    def __init__(
        self,
        socket: WatchedSocket,
        engine: Engine,
        counters: Counters,
        publish: Callable[[], None],
        beat: Callable[[], None],
        may_erase: Callable[[str, str], bool],
        nodes: NodeService,
        count_old: Callable[[], int],
    ) -> None:
        self._socket, self._engine, self._counters = socket, engine, counters
        self._publish, self._beat, self._may_erase = publish, beat, may_erase
        self._nodes, self._count_old = nodes, count_old
        self._replay = Replay(engine, counters)
        self._erasures = Erasures(engine, counters)
        self.questions = Questions(nodes.asked_nodes, self._send_question)

    @property
    def has_work(self) -> bool:
        """Whether there is something to do though nobody asks."""
        return bool(self._erasures)

    def answer_one(self, now: float) -> None:
        """Take one request, if there is one; ``now`` is of a clock that never goes back."""
        try:
            frames, address, right = self._socket.receive_from()
        except zmq.Again:
            return
        envelope, body = split_envelope(frames)
        try:
            if len(body) != 1:
                raise InvalidFrame(f"a message of {len(body)} frames, a request is one")
            request = decode_request(body[0])
            if isinstance(request, EraseRequest):
                self._check_right(address, right)
                Topic.parse(request.topic)
            elif isinstance(request, Lease) and request.presence:
                check_topics(request.presence.topics)
        except InvalidFrame as error:
            self._refuse(envelope, error.reason)
        except InvalidTopic as error:
            self._refuse(envelope, str(error))
        else:
            if isinstance(request, ReplayRequest):
                self._send_page(envelope, request, now)
            elif isinstance(request, Lease):
                leased = self._nodes.take(request, now)
                self._publish()
                self._send(envelope, [encode_node_answer(leased)])
                if leased.state == "attached":
                    self.questions.note(request.incarnation, envelope)
            elif isinstance(request, Ask):
                self.questions.ask(envelope, request, self._count_old(), now)
            elif isinstance(request, Reply):
                self.questions.take(envelope, request)
            elif isinstance(request, PresenceRequest):
                self._send(envelope, [encode_node_answer(self._nodes.presence(request, now))])
            elif isinstance(request, NodesRequest):
                self._send(envelope, [encode_node_answer(self._nodes.table(request, self._count_old(), now))])
            elif len(self._erasures) < MOST_ERASURES:
                self._erasures.ask(envelope, request.topic)
            else:
                self._refuse(envelope, f"{MOST_ERASURES} erasures wait already, try again")

    def _check_right(self, address: str, right: str) -> None:
        if not self._may_erase(address, right):
            raise InvalidFrame(
                "who may follow may not erase: erase on the publish server's own host, or set STORK_BUS_SECRET on both"
            )

    def erase(self, now: float) -> None:
        """Do one step of an erasure that waits; it takes a number of the log."""
        answers = self._erasures.work(now)
        self._publish()
        for envelope, answer in answers:
            self._send(envelope, answer)

    def _send_page(self, envelope: list[bytes], request: ReplayRequest, now: float) -> None:
        if not self._knows(request, now):  # it asks again
            return
        claim = self._replay.judge(request)
        seen = shorten(f"{request.epoch}:{request.after}")
        if claim in (Claim.UNEXPLAINED, Claim.IMPOSSIBLE):
            if not self._counters.claims_refused:
                log.error(
                    "a relay claims without a proof to have seen %s, which this log, at %s, never gave",
                    seen,
                    self._engine.tail,
                )
            self._counters.claims_refused += 1
        if claim is Claim.IMPOSSIBLE:
            self._send(envelope, encode_refusal(f"{seen} is a position that this log never gave"))
            return
        if claim is Claim.LOST:
            log.error("a relay has seen %s, and this log ends at %s", seen, self._engine.tail)
            self._engine.begin_new_epoch()
            self._counters.epochs += 1
            self._beat()
        try:
            page = self._replay.page(request, claim)
        except StorageFailed:  # it asks again
            return
        self._send(envelope, page)

    def _knows(self, request: ReplayRequest, now: float) -> bool:
        """Whether this server can judge what a relay has seen: another one may know more of the engine."""
        if request.epoch == self._engine.tail.epoch:
            return self._engine.catch_up(request.after)
        return request.epoch == "" or self._engine.is_current(now)

    def _refuse(self, envelope: list[bytes], reason: str) -> None:
        log.warning("a request for replay is refused: %s", reason)
        self._counters.replay_refused += 1
        self._send(envelope, encode_refusal(reason))

    def _send(self, envelope: list[bytes], answer: list[bytes]) -> None:
        if not answer_peer(self._socket, [*envelope, *answer], self._counters):
            self._counters.replay_refused += 1

    def _send_question(self, envelope: list[bytes], frames: list[bytes]) -> bool:
        try:
            self._socket.answer([*envelope, *frames])
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
            self._counters.unreachable += 1
        return True
