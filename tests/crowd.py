"""
Many WebSocket clients at once, in raw bytes: each joins with a ticket, subscribes, and counts what comes.

They cost a tenth of what a router spends on them, so that one process can be the load of a measurement as well.
"""

import asyncio
import json
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_REQUEST = (
    b"GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://localhost\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nUser-Agent: Mozilla/5.0\r\n"
    b"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n"
)
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_CHALLENGE, _WELCOME, _SUBSCRIBED, _EVENT = 4, 2, 33, 36
_ROLES = {"subscriber": {"features": {}}, "publisher": {}, "caller": {"features": {}}, "callee": {}}

JOINED = "joined"


def _frame(opcode: int, data: bytes) -> bytes:
    """A frame from a client, masked with zeros."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack("!BH", 0xFE, len(data))
    return bytes([0x80 | opcode]) + size + bytes(4) + data


def _message(*parts: Any) -> bytes:
    return _frame(_TEXT, json.dumps(parts, separators=(",", ":")).encode())


class Member(asyncio.Protocol):
    """One client. ``outcome`` is a future: ``JOINED``, ``closed CODE``, ``lost``, or what came instead."""

    def __init__(
        self, path: str, ticket: str, authid: str, topics: list[str], on_event: Callable[[bytes], None] | None
    ) -> None:
        self._path, self._ticket, self._authid, self._topics = path, ticket, authid, topics
        self._on_event = on_event
        self._buffer = b""
        self._upgraded = False
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(_REQUEST % self._path.encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._upgraded, self._buffer = True, rest
            if b" 101 " not in head:
                self._finish(head.partition(b"\r\n")[0].decode())
            hello = {"roles": _ROLES, "authmethods": ["ticket"], "authid": self._authid}
            self.transport.write(_message(1, "realm1", hello))
        for opcode, payload in self._frames():
            if opcode == _TEXT:
                self._take(payload)
            elif opcode == _CLOSE:
                self._finish(f"closed {int.from_bytes(payload[:2], 'big')}")
            elif opcode == _PING:
                self.transport.write(_frame(_PONG, payload))

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while len(self._buffer) >= 2:
            size, start = self._buffer[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self._buffer[2:start], "big")
            if len(self._buffer) < start + size:
                return
            opcode, payload = self._buffer[0] & 15, self._buffer[start : start + size]
            self._buffer = self._buffer[start + size :]
            yield opcode, payload

    def _take(self, payload: bytes) -> None:
        kind = int(payload[1 : payload.index(b",")])
        if kind == _CHALLENGE:
            self.transport.write(_message(5, self._ticket, {}))
        elif kind == _WELCOME:
            self._missing = len(self._topics)
            for number, topic in enumerate(self._topics, 1):
                self.transport.write(_message(32, number, {}, topic))
        elif kind == _SUBSCRIBED:
            self._missing -= 1
        elif kind == _EVENT:
            if self._on_event:
                self._on_event(payload)
        else:
            self._finish(payload.decode())
        if kind in (_WELCOME, _SUBSCRIBED) and not self._missing:
            self._finish(JOINED)

    def _finish(self, outcome: str) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish("lost")
        self.gone.set()


@dataclass
class Crowd:
    """
    Clients of one node.

    Args:
        port: of 127.0.0.1.
        topics: what the client of this number subscribes to.
        on_event: called with the number of the client and the EVENT as it came.
    """

    port: int
    ticket: str
    topics: Callable[[int], list[str]] = lambda number: ["v1.test.1"]
    path: str = "/ws"
    on_event: Callable[[int, bytes], None] | None = None
    members: list[Member] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    async def join(self, number: int, at_once: int = 50) -> float:
        """So many more join, ``at_once`` of them at the same time; returns the seconds until the last was answered."""
        began = time.perf_counter()
        remaining = iter(range(number))

        async def some() -> None:
            for _ in remaining:
                await self.join_one()

        await asyncio.gather(*(some() for _ in range(at_once)))
        return time.perf_counter() - began

    async def join_one(self) -> str:
        number = self._number
        self._number += 1
        on_event = (lambda payload: self.on_event(number, payload)) if self.on_event else None
        member = Member(self.path, self.ticket, f"user{number}", self.topics(number), on_event)
        await asyncio.get_running_loop().create_connection(lambda: member, "127.0.0.1", self.port)
        outcome = await member.outcome
        self.outcomes[outcome] += 1
        if outcome == JOINED:
            self.members.append(member)
        else:
            member.transport.abort()
            await member.gone.wait()
        return outcome

    async def leave(self) -> None:
        """All go, without a word."""
        members, self.members = self.members, []
        for member in members:
            member.transport.abort()
        for member in members:
            await member.gone.wait()
