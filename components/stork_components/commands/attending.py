"""What a node says to its publish server besides: that it lives, and what it has obeyed."""

import os
import socket
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from stork_crossbar.internals.zmq_reader import Message
from stork_node.nodes.attachment import Attachment
from stork_node.nodes.followed import FollowedNodes
from stork_node.nodes.names import node_name
from stork_node.nodes.revocations import Revocations
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.nodes.session_marks import SessionMarks
from stork_node.process_state import singleton
from stork_node.protocol.commands.entries import StateFrame
from stork_node.protocol.commands.leases import Leased, NodesRequest, encode_node_request
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import decode_node_answer


class Attending:
    """
    Args:
        send: takes a frame for the publish server; returns whether there is a connection.
        marks: of the sessions of this node.
        position: of this node.
        feeds: those that this node serves.

    Attributes:
        nodes: the table of nodes.
        is_understood: whether the publish server takes leases, as its last page said.
    """

    def __init__(
        self,
        reactor: Any,
        send: Callable[[bytes], bool],
        marks: SessionMarks,
        position: Callable[[], Position | None],
        environ: Mapping[str, str] = os.environ,
        feeds: ServedFeeds | None = None,
    ) -> None:
        self._reactor, self._send, self._marks = reactor, send, marks
        self._position = position
        served = feeds or ServedFeeds()
        name = node_name(environ, socket.gethostname())
        self._attachment = Attachment(name, version("stork-node"), feeds=served.names)
        served.watch(self._hurry)
        self._soon: Any = None
        self.nodes = FollowedNodes()
        self.is_understood = False

    @property
    def is_attached(self) -> bool:
        """Whether the log has the entry that attaches this node."""
        return self.is_understood and self._attachment.is_attached

    def say(self) -> None:
        """Say a lease; to be called each second."""
        if not self.is_understood:
            return
        for goodbye in self._attachment.goodbyes():
            self._send(encode_node_request(goodbye))
        lease = self._attachment.lease(self._position(), len(self._marks))
        if self._send(encode_node_request(lease)):
            self._marks.lease_sent(lease.number)
        if self.nodes.wants_snapshot:
            self._send(encode_node_request(NodesRequest(revoked=True)))

    def answered(self, message: Message) -> None:
        """
        Take an answer.

        Raises:
            InvalidFrame: it is none.
        """
        answer = decode_node_answer(message)
        if isinstance(answer, Leased):
            self._attachment.answered(answer)
            self._marks.lease_answered(answer.number, Position(answer.epoch, answer.tail))
        else:
            position = self._position()
            self.nodes.load(answer, position.epoch if position else "")
            singleton(Revocations).merge(answer.revoked)

    def met(self, frame: StateFrame) -> None:
        """Take an entry of the log."""
        self._attachment.met(frame)
        self.nodes.take(frame)

    def obeyed(self, at: Position, counts: dict[str, int]) -> None:
        """A command was obeyed: it is reported at the end of this turn."""
        self._attachment.obeyed(at, counts)
        if self._attachment.has_news:
            self._hurry()

    def begin_anew(self) -> None:
        """There was a break."""
        self._attachment.begin_anew()
        self.nodes.begin()

    def close(self) -> None:
        """Say goodbye."""
        if self._soon is not None:
            self._soon.cancel()
        if self.is_understood:
            self._send(encode_node_request(self._attachment.farewell()))

    def _hurry(self) -> None:
        if self._soon is None:
            self._soon = self._reactor.callLater(0, self._say_soon)

    def _say_soon(self) -> None:
        self._soon = None
        self.say()
