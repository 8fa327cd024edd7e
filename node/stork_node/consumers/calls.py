"""What on_online and on_offline handlers are told of the entries of the log. No I/O."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, Literal

import msgspec

from stork_node.protocol.bus import PushFrame
from stork_node.protocol.commands.entries import StateFrame
from stork_node.protocol.positions import Position
from stork_node.webhooks.reading import EventReader, Saved

Kind = Literal["online", "offline"]
Calls = tuple[Kind, str | None, list[str]]
"""Calls for users: each with the topic, or None for the first and the last topic of a user."""

MOST_USERS = 500
"""In one part of the calls after entries were missed."""

_encode = msgspec.json.Encoder().encode


class CallReader(EventReader):
    """
    As ``EventReader``, for handlers: each batch item is ``{"position", "calls": [[kind, topic or null, [user]]]}``.

    Where entries were missed, it finds out who has come and gone meanwhile: ``"resync": true`` is there, too.
    """

    def __init__(self) -> None:
        super().__init__(("online", "offline"))
        self._where: dict[str, set[str]] = {}
        self._before: dict[str, set[str]] = {}

    def load(self, saved: Saved) -> None:
        super().load(saved)
        self._before, self._where = self._where, {}
        for topic, room in self.table.rooms.items():
            for user in room.users:
                self._where.setdefault(user, set()).add(topic)

    def take(self, frame: StateFrame | PushFrame) -> list[bytes]:
        if isinstance(frame, PushFrame):
            return []
        told = [event for event in self.events(frame) if event["event"] in ("online", "offline")]
        calls: list[Calls] = []
        for topic, events in groupby(told, lambda event: str(event["topic"])):
            calls += self._calls(topic, events)
        return [_encode({"position": str(frame.position), "calls": calls})] if calls else []

    def _calls(self, topic: str, events: Iterable[dict[str, Any]]) -> Iterator[Calls]:
        first, online, offline, last = list[str](), list[str](), list[str](), list[str]()
        for event in events:
            user = event["authid"]
            where = self._where.setdefault(user, set())
            if event["event"] == "online" and topic not in where:
                if not where:
                    first.append(user)
                where.add(topic)
                online.append(user)
            elif event["event"] == "offline" and topic in where:
                where.remove(topic)
                offline.append(user)
                if not where:
                    last.append(user)
            if not where:
                del self._where[user]
        found: list[Calls] = [
            ("online", None, first),
            ("online", topic, online),
            ("offline", topic, offline),
            ("offline", None, last),
        ]
        return (each for each in found if each[2])

    def resync(self, at: Position, reason: str) -> Iterator[bytes]:
        before, self._before = self._before, {}
        calls: dict[tuple[Kind, str | None], list[str]] = {}
        for user, topics in before.items():
            for topic in sorted(topics - self._where.get(user, set())):
                calls.setdefault(("offline", topic), []).append(user)
        calls["offline", None] = [user for user in before if user not in self._where]
        calls["online", None] = [user for user in self._where if user not in before]
        for user, topics in self._where.items():
            for topic in sorted(topics - before.get(user, set())):
                calls.setdefault(("online", topic), []).append(user)
        for (kind, where), users in calls.items():
            rest = iter(users)
            while some := list(islice(rest, MOST_USERS)):
                yield _encode({"position": str(at), "resync": True, "calls": [(kind, where, some)]})
