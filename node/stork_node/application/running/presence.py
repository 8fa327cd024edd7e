"""Keeps the order within one session: its on_leave handlers wait for its on_join handlers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Presence:
    def __init__(self) -> None:
        self._joining: dict[int, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._joining)

    @asynccontextmanager
    async def joining(self, session_id: int) -> AsyncIterator[None]:
        """Within this block the session is joining; it also ends if the block is cancelled."""
        through = self._joining[session_id] = asyncio.Event()
        try:
            yield
        finally:
            through.set()
            if self._joining.get(session_id) is through:
                del self._joining[session_id]

    async def joined(self, session_id: int) -> None:
        """Wait until the session is not joining; returns at once if it never was."""
        if through := self._joining.get(session_id):
            await through.wait()
