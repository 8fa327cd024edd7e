"""Follows the publish server: takes its frames and pages, and goes over to another one where there are several."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from twisted.logger import Logger

from stork_components.commands.attending import Attending
from stork_components.questions.deployment import Deployment
from stork_components.relay.acting import Acting
from stork_components.relay.publish_server_link import PublishServerLink
from stork_components.relay.settings import RelaySettings
from stork_crossbar.component import or_end
from stork_crossbar.internals.zmq_reader import Message
from stork_node import clock
from stork_node.errors import InvalidFrame
from stork_node.nodes.session_marks import SessionMarks
from stork_node.protocol import bus, replay
from stork_node.protocol.bus import Heartbeat
from stork_node.protocol.replay import ReplayRefused
from stork_node.relay.choosing import UNCONFIRMED, ServerChoice
from stork_node.relay.steps import Ask
from stork_node.relay.stream import Action, NodeStream


class Following:
    """
    ``begin`` connects. An error while a frame is taken ends the process: a node must not skip a frame. Closed
    connections tell all clients.

    Args:
        acted: is called after each step.

    Attributes:
        heard_at: when the last frame of the publish server came (reactor's seconds), or the start.
        progress_at: when the last page came, or the start.
        server_counters: the publish server's figures, from its last heartbeat.
        heartbeat_lag_s: how long the last heartbeat travelled, by the clocks of both machines; None before the first.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, stream: NodeStream, deployment: Deployment, marks: SessionMarks, acted: Callable[[], None]
    ) -> None:
        self._reactor, self._stream, self._deployment = reactor, stream, deployment
        self._marks, self._acted = marks, acted
        self.heard_at: float = reactor.seconds()
        self.progress_at = self.heard_at
        self.heartbeat_lag_s: float | None = None
        self.server_counters: dict[str, float] = {}
        self._choice = ServerChoice(self.heard_at)

    def begin(self, settings: RelaySettings, acting: Acting, attending: Attending) -> None:
        """Connect, and do by these what the frames say."""
        self._acting, self._attending = acting, attending
        self.link = PublishServerLink(
            self._reactor,
            settings.bus,
            settings.replay,
            settings.secret,
            lambda messages: or_end("the relay", self.take_frames, messages),
            lambda messages: or_end("the relay", self.take_pages, messages),
            lambda messages: or_end("the relay", self.take_answers, messages),
            self._cut,
        )

    def say(self, frame: bytes) -> bool:
        """Say something of this node; returns whether there is a connection that takes it."""
        return self.link.say(frame)

    def ask(self, ask: Ask) -> None:
        """Ask for a page."""
        self.link.ask(ask)

    def tick(self) -> None:
        """A quarter of a second has passed."""
        now = self._reactor.seconds()
        self._act(self._stream.tick(now))
        self._look_for_another_server(now)

    def take_frames(self, messages: Sequence[Message]) -> None:
        """Messages of the bus."""
        frames = []
        for message in messages:
            try:
                frame = bus.decode_frame(_only(message))
            except InvalidFrame as error:
                self._refuse(self.link.endpoint, error)
                continue
            frames.append(frame)
            if isinstance(frame, Heartbeat):
                self._note(frame)
        if frames:
            self.heard_at = self._reactor.seconds()
            self._act(self._stream.take(frames, self.heard_at))

    def take_pages(self, messages: Sequence[Message]) -> None:
        """Answers to requests for pages."""
        for message in messages:
            now = self._reactor.seconds()
            is_first = self._stream.position is None
            try:
                page = replay.decode_answer(message)
                actions = self._stream.answer(page, now)
            except ReplayRefused as error:
                self._refuse(self.link.replay_endpoint, error)
                self._act(self._stream.refuse(now))
                continue
            except InvalidFrame as error:
                self._refuse(self.link.replay_endpoint, error)
                continue
            self.heard_at = self.progress_at = now
            self._attending.is_understood = page.header.nodes
            # From the log's beginning on, each command is read and obeyed.
            if is_first and page.header.nodes and page.header.after > 0 and len(self._marks):
                self.log.warn("this node had clients before it met its publish server: they have to come back")
                self._acting.lose_clients()
            self._act(actions)
            if is_first:
                self._attending.say()

    def take_answers(self, messages: Sequence[Message]) -> None:
        """Answers to what this node has said, and questions of other nodes."""
        for message in messages:
            try:
                if not self._deployment.heard(message):
                    self._attending.answered(message)
            except ReplayRefused as error:
                self._attending.is_understood = False  # an older release has taken the place of this one
                self._refuse(self.link.replay_endpoint, error)
            except InvalidFrame as error:
                self._refuse(self.link.replay_endpoint, error)

    def close(self) -> None:
        self.link.close()

    def _act(self, actions: Sequence[Action]) -> None:
        self._acting.act(actions)
        self._acted()

    def _note(self, heartbeat: Heartbeat) -> None:
        here = self._stream.position
        if here is None or heartbeat.position.epoch != here.epoch:
            return
        if heartbeat.nodes:
            self._attending.is_understood = True  # a newer release may have taken its place, and no page is needed
        self.server_counters = heartbeat.counters
        try:
            self.heartbeat_lag_s = max(0.0, clock.wall() - datetime.fromisoformat(heartbeat.time).timestamp())
        except (ValueError, OverflowError, OSError) as error:
            self._refuse(self.link.endpoint, InvalidFrame(f"its time: {error}"))

    def _look_for_another_server(self, now: float) -> None:
        if not self.link.has_others:
            return
        why = self._choice.why_change(self.heard_at, self.server_counters.get(UNCONFIRMED, 0.0), now)
        if why:
            before = self.link.endpoint
            self.link.change_over(self._stream.follower.waits_since is not None)
            self.server_counters = {}
            self.log.warn(
                "the publish server at {before} {why}: this node follows {after}",
                before=before,
                why=why,
                after=self.link.endpoint,
            )

    def _refuse(self, endpoint: str, error: InvalidFrame) -> None:
        self._stream.counters.refused += 1
        self.log.warn("a frame from {endpoint} is refused: {error}", endpoint=endpoint, error=error)

    def _cut(self, endpoint: str, why: str) -> None:
        self._stream.counters.refused += 1
        self.log.warn("the connection to {endpoint} is cut: {why}", endpoint=endpoint, why=why)


def _only(message: Message) -> bytes:
    if len(message) != 1:
        raise InvalidFrame(f"{len(message)} frames where one is expected")
    return message[0]
