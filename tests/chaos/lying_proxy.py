"""
A man in the middle between clients and balancer, who rewrites the answers of ``io.virge.stork.recover``.

The checker has to find a node that always answers false, and one that always answers true; none can be told to, and so
this one speaks for it.
"""

import asyncio
import json
import threading
from typing import Any, Literal, Self

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

CALL, RESULT = 48, 50
WAMP = [Subprotocol("wamp.2.json")]


def lie(answer: dict[str, Any], always: bool) -> dict[str, Any]:
    """One topic's answer, as a node would give it that answers always true, or always false: without any events."""
    return {"recovered": always, "position": answer["position"], "events": []}


class LyingProxy:
    """``url`` takes connections that go on to ``target``; ``lies`` counts the answers that were rewritten."""

    def __init__(self, target: str, always: Literal[True, False]) -> None:
        self._target, self._always = target, always
        self.lies = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lying-proxy")
        self._listening = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._closing = asyncio.Event()
        server = await serve(self._pass_on, "127.0.0.1", 0, subprotocols=WAMP, compression=None, max_size=None)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
        self._listening.set()
        await self._closing.wait()
        server.close()
        await server.wait_closed()

    async def _pass_on(self, client: ServerConnection) -> None:
        recovers: set[int] = set()
        try:
            async with connect(
                self._target, subprotocols=WAMP, compression=None, proxy=None, max_size=None, ping_interval=None
            ) as node:
                upwards = asyncio.create_task(self._upwards(client, node, recovers))
                try:
                    async for text in node:
                        await client.send(self._downwards(text, recovers))
                finally:
                    upwards.cancel()
                    await client.close(node.close_code if node.close_code in (1012, 1013, 4001, 4010) else 1011)
        except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError):
            await client.close(1013)

    async def _upwards(self, client: ServerConnection, node: Any, recovers: set[int]) -> None:
        try:
            async for text in client:
                message = json.loads(text)
                if message[0] == CALL and message[3] == "io.virge.stork.recover":
                    recovers.add(message[1])
                await node.send(text)
            await node.close()
        except ConnectionClosed:
            await node.close()

    def _downwards(self, text: str | bytes, recovers: set[int]) -> str | bytes:
        message = json.loads(text)
        if message[0] != RESULT or message[1] not in recovers:
            return text
        recovers.remove(message[1])
        self.lies += 1
        message[3] = [{topic: lie(answer, self._always) for topic, answer in message[3][0].items()}]
        return json.dumps(message)
