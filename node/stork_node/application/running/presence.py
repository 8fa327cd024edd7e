"""Keeps the order of one session: what is done when it leaves waits for what is done when it joins."""

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
        """Within this, the session is joining; also over once it is cancelled."""
        through = self._joining[session_id] = asyncio.Event()
        try:
            yield
        finally:
            through.set()
            if self._joining.get(session_id) is through:
                del self._joining[session_id]

    async def joined(self, session_id: int) -> None:
        """Wait until the session is not joining; at once where it never was."""
        if through := self._joining.get(session_id):
            await through.wait()
