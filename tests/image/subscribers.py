"""
Many subscribers on one event loop, in a thread of its own: WAMP in JSON over ``websockets``, nothing of ours.

Each reconnects for ever, as stork.js does, recovers by docs/delivery.md#the-clients-algorithm what it missed, and
notes when it was connected and what it got.
"""

import asyncio
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from stork_node.protocol.uris import RECOVER
from tests.gateway import wait_for
from tests.wamp import AUTHENTICATE, CALL, CHALLENGE, ERROR, EVENT, HELLO, RESULT, SUBSCRIBE, SUBSCRIBED, WELCOME

_PAUSE_S = 0.25
_ANSWER_S = 4.0
_ROLES = {"subscriber": {}, "caller": {}}


@dataclass
class Stay:
    """
    One connection: from the first answer to ``recover`` to its end (``time.monotonic()``), and the numbers that came on
    it. Whoever has no position yet gets what comes after that answer.
    """

    since: float
    until: float | None = None
    numbers: list[int] = field(default_factory=list)


class Subscriber:
    def __init__(self, url: str, ticket: str, topic: str) -> None:
        self._url, self._ticket, self._topic = url, ticket, topic
        self._position: str | None = None
        self.stays: list[Stay] = []
        self.troubles: list[str] = []
        self.gaps = 0  # how often it was told that something was missed

    @property
    def is_connected(self) -> bool:
        return bool(self.stays) and self.stays[-1].until is None

    async def run(self) -> None:
        while True:
            try:
                await self._stay()
            except (OSError, WebSocketException, TimeoutError) as error:
                self.troubles.append(repr(error))
            finally:
                if self.is_connected:
                    self.stays[-1].until = time.monotonic()
            await asyncio.sleep(random.uniform(0, _PAUSE_S))

    async def _stay(self) -> None:
        async with connect(
            self._url,
            subprotocols=[Subprotocol("wamp.2.json")],
            compression=None,
            ping_interval=None,
            open_timeout=_ANSWER_S,
            close_timeout=5,
            proxy=None,
        ) as socket:
            await socket.send(json.dumps([HELLO, "realm1", {"roles": _ROLES, "authmethods": ["ticket"]}]))
            await self._expect(socket, CHALLENGE)
            await socket.send(json.dumps([AUTHENTICATE, self._ticket, {}]))
            await self._expect(socket, WELCOME)
            await socket.send(json.dumps([SUBSCRIBE, 1, {}, self._topic]))
            await self._expect(socket, SUBSCRIBED)
            await self._follow(socket)

    async def _follow(self, socket: Any) -> None:
        held: list[tuple[str, Any]] | None = []
        await self._recover(socket)
        async for frame in socket:
            message = json.loads(frame)
            if message[0] == EVENT:
                event = (message[5]["position"], message[4][0]["data"])
                held.append(event) if held is not None else self._take(*event)
            elif message[0] == ERROR and message[4] == "io.virge.stork.not_ready":
                await asyncio.sleep(_PAUSE_S)
                await self._recover(socket)
            elif message[0] != RESULT:
                raise OSError(f"recover was answered with {message}")
            elif self._take_recovered(message[3][0][self._topic]):
                await self._recover(socket)
            else:
                for event in held or ():
                    self._take(*event)
                held = None

    async def _recover(self, socket: Any) -> None:
        await socket.send(json.dumps([CALL, 2, {}, RECOVER, [{self._topic: self._position}]]))

    def _take_recovered(self, answer: dict[str, Any]) -> bool:
        """Returns whether there is more."""
        if not self.is_connected:
            self.stays.append(Stay(time.monotonic()))
        self.gaps += self._position is not None and not answer["recovered"]
        for event in answer["events"]:
            self._take(event["position"], event["data"])
        self._position = answer["position"]
        return bool(answer.get("more"))

    def _take(self, position: str, data: Any) -> None:
        (epoch, _, sequence), (own_epoch, _, own) = position.partition(":"), (self._position or "").partition(":")
        if epoch != own_epoch or int(sequence) > int(own):
            self._position = position
            self.stays[-1].numbers.append(data["n"])

    async def _expect(self, socket: Any, kind: int) -> None:
        message = json.loads(await asyncio.wait_for(socket.recv(), _ANSWER_S))
        if message[0] != kind:
            raise OSError(f"{kind} was expected, and this came: {message}")


class Crowd:
    """``size`` subscribers to one topic."""

    def __init__(self, url: str, ticket: str, topic: str, size: int) -> None:
        self.members = [Subscriber(url, ticket, topic) for _ in range(size)]
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._tasks = [self._loop.create_task(member.run()) for member in self.members]
        self._loop.run_forever()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def __enter__(self) -> "Crowd":
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def wait_until_connected(self, timeout_s: float = 60.0) -> None:
        def all_are() -> bool:
            return all(member.is_connected for member in self.members)

        try:
            wait_for(all_are, f"{len(self.members)} subscribers", timeout_s)
        except AssertionError as error:
            missing = [member for member in self.members if not member.is_connected]
            last = {member.troubles[-1] if member.troubles else "nothing" for member in missing[:5]}
            raise AssertionError(f"{error}: {len(missing)} are missing, whose last trouble was {last}") from None


@dataclass(frozen=True)
class Push:
    """A push by its number; ``begun`` is before it was sent, ``answered`` after its answer (``time.monotonic()``)."""

    number: int
    begun: float
    answered: float


class Stream:
    """Pushes in a thread, one after the other, by the ways given in turn, until it is stopped."""

    def __init__(self, ways: list[Any], pause_s: float) -> None:
        self._ways, self._pause_s = ways, pause_s
        self.pushes: list[Push] = []
        self._failed: list[BaseException] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    _numbers = itertools.count(1)

    def _run(self) -> None:
        try:
            for way in itertools.cycle(self._ways):
                number, begun = next(self._numbers), time.monotonic()
                way(number)
                self.pushes.append(Push(number, begun, time.monotonic()))
                if self._stopping.wait(self._pause_s):
                    return
        except BaseException as error:
            self._failed.append(error)

    def wait_for_more(self, number: int) -> None:
        """Until so many more were answered."""
        enough = len(self.pushes) + number
        wait_for(lambda: self._failed or len(self.pushes) >= enough, f"{number} more pushes")

    @contextmanager
    def running(self) -> Iterator["Stream"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join()
        assert not self._failed, self._failed
        assert self.pushes
