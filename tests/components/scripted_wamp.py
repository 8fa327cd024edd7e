"""A WAMP router that says only what a test tells it to, for clients on asyncio."""

import asyncio
import json
from typing import Any, Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

DEADLINE_S = 20.0


class Peer:
    """The router's end of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def receive(self) -> list[Any]:
        message: list[Any] = json.loads(await asyncio.wait_for(self._connection.recv(), DEADLINE_S))
        return message

    async def send(self, *messages: Any) -> None:
        for message in messages:
            await self._connection.send(json.dumps(message))

    async def join(self, session: int = 77) -> list[Any]:
        """Let it in by its ticket; returns its AUTHENTICATE."""
        assert (await self.receive())[0] == 1
        await self.send([4, "ticket", {}])
        authenticate = await self.receive()
        await self.send([2, session, {"authid": "joe", "authrole": "frontend"}])
        return authenticate

    async def admit(self, topic: str, wire_id: int = 5) -> None:
        kind, request, _, asked = await self.receive()
        assert (kind, asked) == (32, topic)
        await self.send([33, request, wire_id])

    async def recover(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Answer the next recover; returns what it asked for."""
        kind, request, _, uri, args, _ = await self.receive()
        assert (kind, uri) == (48, "io.virge.stork.recover")
        await self.send([50, request, {}, [answer]])
        asked: dict[str, Any] = args[0]
        return asked

    async def push(self, position: str, data: Any, wire_id: int = 5) -> None:
        event = {"type": "paid", "data": data, "timestamp": "2026-01-31T12:00:00Z"}
        await self.send([36, wire_id, 1, {}, [event], {"position": position}])

    async def close(self, code: int) -> None:
        await self._connection.close(code)

    async def vanish(self) -> None:
        """End the connection without a close frame."""
        self._connection.transport.abort()
        await self._connection.wait_closed()

    async def closed(self) -> None:
        await asyncio.wait_for(self._connection.wait_closed(), DEADLINE_S)


class Router:
    """``url`` is its address; ``accept`` gives each connection that comes."""

    async def __aenter__(self) -> Self:
        self._arrivals: asyncio.Queue[Peer] = asyncio.Queue()
        self._server = await serve(
            self._arrived, "127.0.0.1", 0, subprotocols=[Subprotocol("wamp.2.json")], compression=None, close_timeout=1
        )
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ws"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def accept(self) -> Peer:
        return await asyncio.wait_for(self._arrivals.get(), DEADLINE_S)

    async def join(self) -> Peer:
        peer = await self.accept()
        await peer.join()
        return peer

    async def _arrived(self, connection: ServerConnection) -> None:
        self._arrivals.put_nowait(Peer(connection))
        await connection.wait_closed()
