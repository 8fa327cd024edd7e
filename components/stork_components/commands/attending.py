"""What a node says to its publish server besides: that it lives, and what it has obeyed."""

import os
import socket
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from twisted.internet import defer

from stork_crossbar.internals.zmq_reader import Message
from stork_node.nodes.attachment import Attachment
from stork_node.nodes.followed import FollowedNodes
from stork_node.nodes.names import node_name
from stork_node.nodes.revocations import Revocations
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.nodes.session_marks import SessionMarks
from stork_node.presence.followed import Changed
from stork_node.presence.handlers import PresenceHandlers
from stork_node.presence.here import NodePresence
from stork_node.presence.local import LocalPresence
from stork_node.process_state import singleton
from stork_node.protocol.commands.entries import StateFrame
from stork_node.protocol.commands.leases import Leased, Nodes, NodesRequest, encode_node_request
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.snapshots import PresenceRows
from stork_node.protocol.replay import decode_node_answer

BATCH_S = 0.1
"""How long a node collects what it says of its users."""
LEAVE_S = 0.3
"""How long it waits before it says that a user has left: other nodes say first who has come there."""
_MUCH = 1_000


class Attending:
    """
    Args:
        send: takes a frame for the publish server; returns whether there is a connection.
        marks: of the sessions of this node.
        position: of this node.
        local: the users of this node.
        changed: is told of each change of presence.
        feeds: those that this node serves.
        handlers: whether its application follows presence.

    Attributes:
        nodes: the table of nodes.
        presence: who is online.
        is_understood: whether the publish server takes leases, as its last page said.
    """

    def __init__(
        self,
        reactor: Any,
        send: Callable[[bytes], bool],
        marks: SessionMarks,
        position: Callable[[], Position | None],
        environ: Mapping[str, str] = os.environ,
        local: LocalPresence | None = None,
        changed: Changed = lambda at, at_ms, changes: None,
        feeds: ServedFeeds | None = None,
        handlers: PresenceHandlers | None = None,
    ) -> None:
        self._reactor, self._send, self._marks = reactor, send, marks
        self._position = position
        served = feeds or ServedFeeds()
        self._name = node_name(environ, socket.gethostname())
        follows = handlers or PresenceHandlers()
        self._attachment = Attachment(
            self._name, version("stork-node"), feeds=served.names, has_handlers=follows.has_some
        )
        served.watch(self._hurry)
        self._soon: Any = None
        self._asking: list[defer.Deferred[Nodes]] = []
        self._batch: Any = None
        self._is_closed = False
        self.presence = NodePresence(singleton(LocalPresence) if local is None else local, changed)
        self.presence.local.news = self._collect
        self.presence.local.hold = partial(reactor.callLater, LEAVE_S)
        self.nodes = FollowedNodes()
        self.is_understood = False

    @property
    def is_attached(self) -> bool:
        """Whether the log has the entry that attaches this node."""
        return self.is_understood and self._attachment.is_attached

    @property
    def incarnation(self) -> str:
        return self._attachment.incarnation

    @property
    def label(self) -> str:
        """The name of this node in answers: with ``~2`` where another has the same."""
        return self.nodes.table.labels().get(self.incarnation, self._name)

    def say(self) -> None:
        """Say a lease; to be called each second."""
        if not self.is_understood:
            return
        for goodbye in self._attachment.goodbyes():
            self._send(encode_node_request(goodbye))
        batch = self.presence.batch(self._attachment.incarnation, self._attachment.is_attached)
        lease = self._attachment.lease(self._position(), len(self._marks), batch, self.presence.is_reported)
        if self._send(encode_node_request(lease)):
            self._marks.lease_sent(lease.number)
            self.presence.sent(lease.number)
        if self.nodes.wants_snapshot:
            self._send(encode_node_request(NodesRequest(revoked=True)))
        self._ask_for_rows()

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
            if self.presence.answered(answer, self._reactor.seconds()):
                self._attachment.begin_anew()
        elif isinstance(answer, PresenceRows):
            if self.presence.followed.load(answer):
                self._ask_for_rows()
        else:
            position = self._position()
            asking, self._asking = self._asking, []
            for each in asking:
                if not each.called:
                    each.callback(answer)
            self.nodes.load(answer, position.epoch if position else "")
            singleton(Revocations).merge(answer.revoked)

    def met(self, frame: StateFrame) -> None:
        """Take an entry of the log."""
        self._attachment.met(frame)
        self.nodes.take(frame)
        if self.presence.met(frame) and self.presence.local.news_count:
            self._collect()

    def ask_table(self, within_s: float) -> "defer.Deferred[Nodes]":
        """The publish server's table of nodes now; fails with ``defer.TimeoutError``."""
        asked: defer.Deferred[Nodes] = defer.Deferred()
        self._asking.append(asked)
        if len(self._asking) == 1 and not self._send(encode_node_request(NodesRequest())):
            self._asking.clear()
            return defer.fail(defer.TimeoutError())
        asked.addTimeout(within_s, self._reactor)
        return asked.addErrback(self._ask_no_more)

    def _ask_no_more(self, failure: Any) -> Any:
        # The question or its answer was lost: the next one is sent.
        self._asking.clear()
        return failure

    def obeyed(self, at: Position, counts: dict[str, int]) -> None:
        """A command was obeyed: it is reported at the end of this turn."""
        self._attachment.obeyed(at, counts)
        if self._attachment.has_news:
            self._hurry()

    def begin_anew(self) -> None:
        """There was a break."""
        self._attachment.begin_anew()
        self.nodes.begin()
        self.presence.begin_anew()

    def close(self) -> None:
        """Say goodbye."""
        self._is_closed = True
        if self._batch is not None:
            self._batch.cancel()
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

    def _ask_for_rows(self) -> None:
        here = self._position()
        if here is not None and self.presence.wants_rows(self.is_attached):
            self._send(encode_node_request(self.presence.followed.request(here)))

    def _collect(self) -> None:
        """Say soon what is new about users."""
        if self._batch is None and not self._is_closed:
            is_much = self.presence.local.news_count >= _MUCH
            self._batch = self._reactor.callLater(0 if is_much else BATCH_S, self._say_batch)

    def _say_batch(self) -> None:
        self._batch = None
        if self.presence.local.batch is None:
            self.say()
