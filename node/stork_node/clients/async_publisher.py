"""
Pushing from asyncio: ``AsyncPublisher``, with many concurrent pushes over one connection.

    async with AsyncPublisher("tcp://publish:5557") as publisher:
        await publisher.push("v1.orders.42", type="order_paid", data={"id": 42})
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self, Unpack

from stork_node.clients.async_connection import AsyncConnection
from stork_node.clients.pending_pushes import PendingPush, StoredPosition
from stork_node.clients.publisher import (
    NO_COMMANDS,
    POSITION_REQUEST,
    longest_wait_ms,
    pending_command,
    pending_push,
    pending_pushes,
    positions_of,
    result_of,
)
from stork_node.clients.push_options import PushOptions, PushWarnings
from stork_node.clients.push_target import PushTarget
from stork_node.errors import NotConfirmed, PushFailed
from stork_node.protocol.commands.results import CommandOptions, CommandResult


class AsyncPublisher:
    """
    ``stork_node.Publisher`` on asyncio: the same arguments, results and errors.

    It works in any thread: each event loop has a connection of its own, and so has each process after a fork.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        timeout_ms: int = 2000,
        secret: str | None = None,
        push_key: str | None = None,
        *,
        answered: bool = True,
        linger_ms: int = 2000,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._target = PushTarget.parse(endpoint, answered, timeout_ms, secret, push_key, linger_ms)
        self._timeout_ms = timeout_ms
        self._warnings = PushWarnings(warn)
        self._connections: dict[tuple[int, asyncio.AbstractEventLoop], AsyncConnection] = {}
        self._closed = False

    async def push(
        self, topics: str | Iterable[str], type: str, data: Any = None, **options: Unpack[PushOptions]
    ) -> StoredPosition:
        """Push to one or more topics; see ``Publisher.push``. Pushes are sent in the order of the calls."""
        return (await self._deliver([pending_push(self._target.answered, topics, type, data, **options)]))[0]

    async def push_many(self, pushes: Iterable[Any]) -> list[StoredPosition]:
        """Push many in one round trip, in order; see ``Publisher.push_many``."""
        return await self._deliver(pending_pushes(pushes, self._target.answered))

    async def position(self) -> StoredPosition:
        """The position of the last push that is stored; see ``Publisher.position``."""
        if not self._target.answered:
            raise PushFailed("a publisher with answered=False is told no positions")
        return (await self._deliver([PendingPush(None, POSITION_REQUEST)]))[0]

    async def command(self, kind: str, /, **options: Unpack[CommandOptions]) -> CommandResult:
        """End sessions or subscriptions, or have answers forgotten; see ``Publisher.command``."""
        if not self._target.answered:
            raise PushFailed(NO_COMMANDS)
        if self._closed:
            raise PushFailed("the publisher is closed")
        pending, wait_ms = pending_command(kind, options)
        try:
            await self._here().exchange([pending], self._timeout_ms + wait_ms)
        except NotConfirmed as error:
            raise NotConfirmed(error.endpoint, error.timeout_ms, error.cause, "command") from None
        return result_of(pending)

    async def close(self) -> None:
        """Close the connection; pushes in progress raise ``NotConfirmed``. Waits as ``Publisher.close`` does."""
        self._closed = True
        here = (os.getpid(), asyncio.get_running_loop())
        own = self._connections.pop(here, None)
        self._leave_ended_loops()
        for (process, loop), connection in list(self._connections.items()):
            if process == here[0]:
                with suppress(RuntimeError):  # its loop has ended meanwhile
                    loop.call_soon_threadsafe(connection.abandon)
        if own:
            await own.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _deliver(self, pending_pushes: list[PendingPush]) -> list[StoredPosition]:
        if self._closed:
            raise PushFailed("the publisher is closed")
        self._warnings.look_at(pending_push.frame for pending_push in pending_pushes)
        connection = self._here()
        if not self._target.answered:
            await connection.send([pending_push.frame for pending_push in pending_pushes])
            return [StoredPosition()] * len(pending_pushes)
        await connection.exchange(pending_pushes, self._timeout_ms + longest_wait_ms(pending_pushes))
        return positions_of(pending_pushes, self._warnings)

    def _here(self) -> AsyncConnection:
        here = (os.getpid(), asyncio.get_running_loop())
        connection = self._connections.get(here)
        if connection is None:
            self._leave_ended_loops()
            connection = self._connections[here] = AsyncConnection(self._target, self._timeout_ms)
        return connection

    def _leave_ended_loops(self) -> None:
        # Those of a parent process stay, and are never used: their sockets are not of this process.
        for process, loop in list(self._connections):
            ended = process == os.getpid() and loop.is_closed()
            if ended and (connection := self._connections.pop((process, loop), None)):
                connection.abandon()
