"""Calls on_online and on_offline handlers: in order, and once for each entry unless a handler fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from stork_node.application.declarations import Handler
from stork_node.errors import StorkError
from stork_node.protocol.positions import Position

AT_ONCE = 32
"""Calls for different users that run at the same time."""

Call = Callable[[Handler, str, str | None], Awaitable[None]]


class Told(Struct, frozen=True):
    """
    What one entry of the log has changed (``consumers.calls``).

    Attributes:
        calls: kind, topic or None, and users; in order.
        resync: whether entries were missed, so that positions do not count.
    """

    position: str
    calls: list[tuple[str, str | None, list[str]]]
    resync: bool = False


class TooLate(StorkError):
    """The caller does not wait any more, and tells the rest again."""


class PresenceCalls:
    """
    To be used on one asyncio loop.

    Args:
        handlers: by their kind, ``online`` and ``offline``.
        call: calls one; raises if it fails.
    """

    def __init__(self, handlers: dict[str, list[Handler]], call: Call) -> None:
        self._handlers, self._call = handlers, call
        self._turn = asyncio.Lock()
        self._through: Position | None = None
        self._begun: Told | None = None
        self._called: set[tuple[str, str | None, str]] = set()

    async def tell(self, told: Sequence[Told], within_s: float) -> None:
        """
        Make the calls, one entry after the other. What was told before is passed over.

        Args:
            within_s: calls begin for so long, in seconds; by ``time.monotonic``, as a process that was stopped must
                not go on: another one may have taken over.

        Raises:
            TooLate: the time is over.
            Exception: a handler's own; the entry is to be told again.
        """
        until = time.monotonic() + within_s
        async with self._turn:
            for each in told:
                at = Position.parse(each.position)
                if each.resync or not self._is_through(at):
                    await self._take(each, until)
                    self._through, self._begun = at, None

    def _is_through(self, at: Position) -> bool:
        return self._through is not None and self._through.epoch == at.epoch and at <= self._through

    async def _take(self, told: Told, until: float) -> None:
        if told != self._begun:
            self._begun = told
            self._called.clear()
        for kind, topic, users in told.calls:
            left = (user for user in users if (kind, topic, user) not in self._called)
            while some := list(islice(left, AT_ONCE)):
                if time.monotonic() > until:
                    raise TooLate("the calls take longer than their time; the rest comes again")
                await _all(self._one(kind, topic, user) for user in some)

    async def _one(self, kind: str, topic: str | None, user: str) -> None:
        for handler in self._handlers[kind]:
            await self._call(handler, user, topic)
        self._called.add((kind, topic, user))


async def _all(calls: Iterator[Awaitable[None]]) -> None:
    """Wait for all, whatever becomes of one; then raise the first error."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
