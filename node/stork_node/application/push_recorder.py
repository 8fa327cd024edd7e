"""Records the pushes of an application under test: they are checked as by the publish server, numbered, and kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Unpack

import msgspec

from stork_node.clients.publisher import pending_command, pending_push, pending_pushes
from stork_node.clients.push_options import PushOptions
from stork_node.protocol.commands.documents import Command, decode_command
from stork_node.protocol.commands.results import CommandOptions, CommandResult
from stork_node.protocol.push import decode_push

_EPOCH = "test"
_NOW = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class RecordedPush:
    """One push, as the publish server gets it; ``data`` is as a browser sees it."""

    topics: tuple[str, ...]
    type: str
    data: Any = None
    id: str | None = None
    exclude: tuple[int, ...] = ()
    store: bool = True


class PushRecorder:
    """Stands in for a ``Publisher``, and takes the same arguments; appends to ``pushes``."""

    def __init__(self, pushes: list[RecordedPush]) -> None:
        self._pushes = pushes
        self._positions: dict[str, str] = {}
        self.commands: list[Command] = []

    def push(self, topics: str | Iterable[str], type: str, data: Any = None, **options: Unpack[PushOptions]) -> str:
        """
        Keep one push, unless its id is known.

        Raises:
            InvalidPush: the publish server would refuse it.
        """
        return self._record(pending_push(False, topics, type, data, **options).frame)

    def push_many(self, pushes: Iterable[Any]) -> list[str]:
        return [self._record(pending_push.frame) for pending_push in pending_pushes(pushes, answered=False)]

    def position(self) -> str:
        return f"{_EPOCH}:{len(self._pushes)}"

    def command(self, kind: str, /, **options: Unpack[CommandOptions]) -> CommandResult:
        """
        Keep one command.

        Raises:
            InvalidCommand: the publish server would refuse it.
        """
        pending, _ = pending_command(kind, options)
        self.commands.append(decode_command(pending.frame).command)
        return CommandResult(self.position(), True, {"test": {"sessions": 0}})

    def _record(self, frame: bytes) -> str:
        push = decode_push(frame, _NOW)
        if push.id is not None and push.id in self._positions:
            return self._positions[push.id]
        data = msgspec.json.decode(push.data)
        self._pushes.append(RecordedPush(push.topics, push.type, data, push.id, push.exclude, push.store))
        if push.id is not None:
            self._positions[push.id] = self.position()
        return self.position()


class AsyncPushRecorder:
    """Stands in for an ``AsyncPublisher``."""

    def __init__(self, recorder: PushRecorder) -> None:
        self._recorder = recorder

    async def push(
        self, topics: str | Iterable[str], type: str, data: Any = None, **options: Unpack[PushOptions]
    ) -> str:
        return self._recorder.push(topics, type, data, **options)

    async def push_many(self, pushes: Iterable[Any]) -> list[str]:
        return self._recorder.push_many(pushes)

    async def position(self) -> str:
        return self._recorder.position()

    async def command(self, kind: str, /, **options: Unpack[CommandOptions]) -> CommandResult:
        return self._recorder.command(kind, **options)
