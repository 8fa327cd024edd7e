"""
Many Pusher clients in one process, which do what pusher-js with stork-pusher.js does.

Each comes back by the code of its close, recovers a channel, and is a member of a presence channel.
"""

import asyncio
import contextlib
import json
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.pusher import KEY, SECRET, sign

CHANNEL, ROOM = "orders.crowd", "presence-crowd"


def pause_s(code: int) -> float | None:
    """How long pusher-js waits after a close; None: it does not come back."""
    if 4001 <= code <= 4099 or code >= 4300:
        return None
    return 0.0 if 4200 <= code <= 4299 or code == 4000 else 1.0


class Follower:
    """
    Attributes:
        got: the data of all events of ``CHANNEL``, in order.
        gaps: how many times it was told that events may be lost.
        members: who is in ``ROOM``, as it was told.
        returns: when it was back after a lost connection, in seconds of ``time.monotonic``.
    """

    def __init__(self, url: str, user: str) -> None:
        self._url, self.user = url, user
        self._position: str | None = None
        self._sessions: list[str] = []
        self.got: list[int] = []
        self.gaps = 0
        self.members: set[str] = set()
        self.returns: list[float] = []
        self.is_leaving = False
        self.is_up = False

    async def run(self) -> None:
        while not self.is_leaving:
            pause = 1.0
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with connect(self._url, compression=None, max_queue=None, ping_interval=None) as socket:
                    pause = await self._follow(socket)
            self.is_up = False
            if pause is None:
                return
            await asyncio.sleep(pause)

    async def _follow(self, socket: ClientConnection) -> float | None:
        try:
            while True:
                await self._take(socket, json.loads(await socket.recv()))
        except ConnectionClosed as closed:
            return pause_s(closed.rcvd.code if closed.rcvd else 1006)

    async def _take(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        event, channel = frame["event"], frame.get("channel")
        told = json.loads(frame["data"]) if isinstance(frame.get("data"), str) else frame.get("data")
        match event, channel:
            case "pusher:connection_established", _:
                await self._subscribe(socket, told["socket_id"])
            case "pusher_internal:subscription_succeeded", str() if channel == ROOM:
                self.members = set(told["presence"]["ids"])
                self.is_up = True
                self.returns.append(time.monotonic())
            case "pusher_internal:subscription_succeeded", _:
                if self._position is not None and not told["recovered"]:
                    self.gaps += 1
                if self._position is None or not told["recovered"]:
                    self._position = told["position"]
            case "pusher_internal:member_added", _:
                self.members.add(told["user_id"])
            case "pusher_internal:member_removed", _:
                self.members.discard(told["user_id"])
            case "number", _:
                self.got.append(told["n"])
                self._position = frame["position"]
            case "pusher:ping", _:
                await socket.send('{"event":"pusher:pong","data":{}}')

    async def _subscribe(self, socket: ClientConnection, id: str) -> None:
        data = json.dumps({"user_id": self.user})
        auth = f"{KEY}:{sign(f'{id}:{ROOM}:{data}', SECRET)}"
        more = {"since": self._position, "sessions": self._sessions}
        self._sessions = [*self._sessions, id]
        for asked in ({"channel": CHANNEL, **more}, {"channel": ROOM, "auth": auth, "channel_data": data}):
            await socket.send(json.dumps({"event": "pusher:subscribe", "data": asked}))


def faults(follower: Follower, pushed: int) -> list[str]:
    """What a client has missed without being told, or got twice, of the numbers below ``pushed``."""
    if follower.gaps:
        return []
    expected = list(range(follower.got[0], pushed)) if follower.got else []
    return [] if follower.got == expected else [f"{follower.user}: {len(follower.got)} of {len(expected)} events"]
