"""Nodes without routers, for tests beside a real publish server."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stork_components.commands.attending import Attending
from stork_components.relay.publish_server_link import PublishServerLink
from stork_node.nodes.session_marks import SessionMarks
from stork_node.presence.handlers import PresenceHandlers
from stork_node.presence.local import LocalPresence
from stork_node.presence.table import Change
from stork_node.protocol.bus import decode_frame
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.replay import decode_answer
from stork_node.publish_server import PublishServerSettings
from stork_node.relay.history_settings import HistorySettings
from stork_node.relay.stream import Ask, Break, Events, NodeStream, State
from tests.components.served import DEADLINE_S, settings
from tests.components.test_relay_sockets import Reactor
from tests.gateway import free_ports


class Node:
    """What a relay does, without a router: ``done`` has what it obeyed and delivered, in order."""

    def __init__(self, bus: str, replay: str, name: str, handlers: PresenceHandlers | None = None) -> None:
        self.reactor, self.stream, self.marks = Reactor(), NodeStream(HistorySettings()), SessionMarks()
        self.link = PublishServerLink(
            self.reactor, [bus], [replay], "", self._heard, self._answered, self._leased, lambda *_: None
        )
        environ = {"STORK_NODE_NAME": name}
        self.local, self.told = LocalPresence(), list[Change]()
        self.attending = Attending(
            self.reactor,
            self.link.say,
            self.marks,
            lambda: self.stream.position,
            environ,
            self.local,
            lambda at, at_ms, changes: self.told.extend(changes),
            handlers=handlers,
        )
        self.done: list[str] = []
        self.breaks = 0
        self._said_at = self._before = time.monotonic()

    @property
    def is_attached(self) -> bool:
        return self.attending._attachment.is_attached

    def turn(self) -> None:
        now = time.monotonic()
        self.reactor.advance(now - self._before)
        self._before = now
        for reader in list(self.reactor.readers):
            reader.doRead()
        self._act(self.stream.tick(now))
        if now - self._said_at > 0.05:
            self._said_at = now
            self.attending.say()

    def close(self) -> None:
        self.attending.close()
        self.link.close()

    def _heard(self, messages: list[list[bytes]]) -> None:
        self._act(self.stream.take([decode_frame(message[0]) for message in messages], time.monotonic()))

    def _answered(self, messages: list[list[bytes]]) -> None:
        for message in messages:
            page = decode_answer(message)
            actions = self.stream.answer(page, time.monotonic())
            self.attending.is_understood = page.header.nodes
            self._act(actions)

    def _leased(self, messages: list[list[bytes]]) -> None:
        for message in messages:
            self.attending.answered(message)

    def _act(self, actions: list[Any]) -> None:
        for action in actions:
            if isinstance(action, Ask):
                self.link.ask(action)
            elif isinstance(action, Events):
                self.done += [json.loads(push.event)["type"] for push in action.pushes]
            elif isinstance(action, Break):
                self.breaks += 1
                self.attending.begin_anew()
            elif isinstance(action, State):
                self.attending.met(action.frame)
                if isinstance(action.frame.content, Command):
                    self.done.append(action.frame.content.kind)
                    self.attending.obeyed(action.frame.position, {"sessions": 1})
        self.marks.obeyed = self.stream.position


def run(nodes: list[Node], fact: Callable[[], object]) -> None:
    """Turns of these nodes; the others are frozen."""
    give_up_at = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < give_up_at
        for node in nodes:
            node.turn()
        time.sleep(0.002)


def fixed_settings(folder: Path) -> PublishServerSettings:
    """Settings with ports that stay the same when the server restarts."""
    names = ("pull", "router", "pub", "replay")
    ports = {name: f"tcp://127.0.0.1:{port}" for name, port in zip(names, free_ports(4), strict=True)}
    return settings(data=folder / "data", **ports)
