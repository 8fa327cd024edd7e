"""
Users who come and go in a topic with presence, in a process of their own: ``python -m tests.chaos.appearing URL SEED``.

Each user has one or two connections. Each of them comes, stays for a while, and goes: with a goodbye, or without one.
One that is lost, or silent for 60 s, comes back at once. One JSON line for each fact:

    {"kind": "on", "user", "tab", "at"}       its subscription was answered
    {"kind": "off", "user", "tab", "at"}      it has gone of itself, or was lost

A line on standard input ends the coming and going: who is there stays, and comes back when it is lost. The end of
standard input ends all, without another line.
"""

import asyncio
import json
import os
import random
import sys
import time
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tests.chaos.commanding import SILENT_S, join, say

TOPIC = "v1.room.chaos"
USERS = 8


class Tab:
    """One connection of a user, again and again."""

    def __init__(self, url: str, user: str, number: int, seed: int, settling: asyncio.Event) -> None:
        self._url, self._user, self._number, self._settling = url, user, number, settling
        self._chance = random.Random(f"{seed} {user} {number}")

    async def run(self) -> None:
        while True:
            if self._chance.random() < 0.5 and not self._settling.is_set():
                await self._pause(8.0)
                continue
            if self._settling.is_set() and self._chance.random() < 0.5:
                return  # away for good
            stays_s = self._chance.uniform(0.2, 15.0)
            while await self._come(stays_s):  # it was lost
                await asyncio.sleep(self._chance.uniform(0.05, 1.0))

    async def _pause(self, most_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._chance.uniform(0.1, most_s)):
                await self._settling.wait()

    async def _come(self, stays_s: float) -> bool:
        """Come, and stay; returns whether the connection was lost."""
        was_on = False
        try:
            async with asyncio.timeout(20):
                subprotocols = [Subprotocol("wamp.2.json")]
                socket = await connect(
                    self._url, subprotocols=subprotocols, compression=None, proxy=None, close_timeout=1
                )
            async with socket:
                async with asyncio.timeout(30):
                    if not await join(socket, self._user):
                        return True
                    for number, topic in enumerate(("io.virge.stork.beat", TOPIC), 1):
                        await socket.send(json.dumps([32, number, {}, topic]))
                        while json.loads(await socket.recv())[0] != 33:
                            pass
                was_on = True
                say("on", user=self._user, tab=self._number, at=time.time())
                return await self._stay(socket, stays_s)
        except (ConnectionClosed, OSError, InvalidHandshake, TimeoutError):
            return True
        finally:
            if was_on:
                say("off", user=self._user, tab=self._number, at=time.time())

    async def _stay(self, socket: ClientConnection, stays_s: float) -> bool:
        begun = heard = time.monotonic()
        while self._settling.is_set() or time.monotonic() < begun + stays_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await socket.recv()
                    heard = time.monotonic()
            if time.monotonic() - heard > SILENT_S:
                return True
        if self._chance.random() < 0.5:
            await socket.send(json.dumps([6, {}, "wamp.close.normal"]))
        return False


async def main(url: str, seed: int) -> None:
    settling = asyncio.Event()
    tabs = [
        asyncio.create_task(Tab(url, f"seen {user}", number, seed, settling).run())
        for user in range(USERS)
        for number in range(1 + user % 2)
    ]
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    settling.set()
    await loop.run_in_executor(None, sys.stdin.read)
    assert not [task for task in tabs if task.done() and task.exception()], "a connection has failed"
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
