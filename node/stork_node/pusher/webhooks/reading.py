"""What the log tells an app's backend: channels, their members, and what nodes have pushed for webhooks. No I/O."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from stork_node.protocol.bus import PushFrame, StateFrame
from stork_node.protocol.positions import Position
from stork_node.pusher.channels import channel_of
from stork_node.pusher.webhooks.topics import occupied_topic
from stork_node.webhooks.reading import EventReader, Saved

_encode = msgspec.json.Encoder().encode


class _Hook(Struct, gc=False):
    type: str
    data: Raw


_decode_hook = msgspec.json.Decoder(_Hook).decode
_Fact = tuple[str, str]
"""A channel, and a member of it; empty: that it is occupied."""


class AppEventReader(EventReader):
    """
    Where the log does not reach back, what has changed meanwhile is told as if it had happened now.

    Args:
        version: of the app's topics.
        wanted: the names of the events to tell.
    """

    def __init__(self, version: str, wanted: Iterable[str]) -> None:
        super().__init__(("online", "offline"))
        self._version, self._told = version, frozenset(wanted)
        self._occupied = occupied_topic(version)
        self._before: set[_Fact] = set()

    def load(self, saved: Saved) -> None:
        self._before = self._facts()
        super().load(saved)

    def take(self, frame: StateFrame | PushFrame) -> list[bytes]:
        if isinstance(frame, PushFrame):
            hook = _decode_hook(frame.event)
            return [bytes(hook.data)] if hook.type in self._told else []
        return list(self._encoded(self._changes(frame)))

    def resync(self, at: Position, reason: str) -> Iterator[bytes]:
        """What is otherwise than in the table before."""
        now = self._facts()
        gone, new = sorted(self._before - now), sorted(now - self._before)
        yield from self._encoded([(False, *fact) for fact in gone] + [(True, *fact) for fact in new])

    def _changes(self, frame: StateFrame) -> Iterator[tuple[bool, str, str]]:
        """Whether somebody came, the channel and the member."""
        for event in self.events(frame):
            kind = event["event"]
            # Who has other information now came earlier.
            if kind == "offline" or (kind == "online" and event["since"] == event["at"]):
                for channel, member in self._fact(event["topic"], event["authid"]):
                    yield kind == "online", channel, member

    def _fact(self, topic: str, user: str) -> Iterator[_Fact]:
        if topic == self._occupied:
            yield user, ""
        elif (channel := channel_of(topic, self._version)) is not None and channel.is_presence:
            yield channel.name, user

    def _facts(self) -> set[_Fact]:
        rooms = self.table.rooms.items()
        return {fact for topic, room in rooms for user in room.users for fact in self._fact(topic, user)}

    def _encoded(self, changes: Iterable[tuple[bool, str, str]]) -> Iterator[bytes]:
        for is_here, channel, member in changes:
            if member:
                told: dict[str, Any] = {"name": "member_added" if is_here else "member_removed", "channel": channel}
                told["user_id"] = member
            else:
                told = {"name": "channel_occupied" if is_here else "channel_vacated", "channel": channel}
            if told["name"] in self._told:
                yield _encode(told)
