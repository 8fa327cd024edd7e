"""The replay port: relays that ask for pages, and operators who have topics erased."""

import logging
from collections.abc import Callable

import zmq

from stork_node.errors import InvalidFrame, InvalidTopic
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.erasures import Erasures
from stork_node.publish_server.replaying import Replay
from stork_node.publish_server.requests import split_envelope
from stork_node.publish_server.sockets import answer_peer
from stork_node.push_log import SegmentLog
from stork_node.replay import EraseRequest, ReplayRequest, decode_request, encode_refusal
from stork_node.topics import Topic

log = logging.getLogger("stork_node.publish_server")


class ReplayService:
    """
    Serves the ROUTER ``socket``; a turn takes one request, so that pushes need not wait for many.

    Args:
        publish: publishes a frame on the bus.
        beat: sends a heartbeat now.
    """

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        push_log: SegmentLog,
        counters: Counters,
        publish: Callable[[bytes], None],
        beat: Callable[[], None],
    ) -> None:
        self._socket, self._log, self._counters = socket, push_log, counters
        self._publish, self._beat = publish, beat
        self._replay = Replay(push_log, counters)
        self._erasures = Erasures(push_log, counters)

    @property
    def has_work(self) -> bool:
        """Whether there is something to do though nobody asks."""
        return bool(self._erasures)

    def answer_one(self) -> None:
        """Take one request, if there is one."""
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        envelope, body = split_envelope(frames)
        try:
            if len(body) != 1:
                raise InvalidFrame(f"a message of {len(body)} frames, a request is one")
            request = decode_request(body[0])
            if isinstance(request, EraseRequest):
                Topic.parse(request.topic)
        except InvalidFrame as error:
            self._refuse(envelope, error.reason)
        except InvalidTopic as error:
            self._refuse(envelope, str(error))
        else:
            if isinstance(request, EraseRequest):
                self._erasures.ask(envelope, request.topic)
            else:
                self._send_page(envelope, request)

    def erase(self, now: float) -> None:
        """Do one step of an erasure that waits; it takes a number of the log."""
        frames, answers = self._erasures.work(now)
        for frame in frames:
            self._publish(frame)
        for envelope, answer in answers:
            self._send(envelope, answer)

    def _send_page(self, envelope: list[bytes], request: ReplayRequest) -> None:
        if self._replay.is_ahead(request):
            log.error("a relay has seen %s:%d, and this log ends at %s", request.epoch, request.after, self._log.tail)
            self._log.begin_new_epoch()
            self._counters.epochs += 1
            self._beat()
        self._send(envelope, self._replay.page(request))

    def _refuse(self, envelope: list[bytes], reason: str) -> None:
        log.warning("a request for replay is refused: %s", reason)
        self._counters.replay_refused += 1
        self._send(envelope, encode_refusal(reason))

    def _send(self, envelope: list[bytes], answer: list[bytes]) -> None:
        try:
            answer_peer(self._socket, [*envelope, *answer], self._counters)
        except zmq.Again:  # it asks, and does not read
            self._counters.replay_refused += 1
