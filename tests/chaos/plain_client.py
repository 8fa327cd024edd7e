"""
docs/delivery.md#the-clients-algorithm, written down once more, from the page alone: nothing of the library is used.

    keep one position per topic; after every SUBSCRIBED call recover (with null where there is none); hold that topic's
    events back until the answer; hand on the answer's events, then what is held with a greater position; ignore any
    event whose position is not greater than its topic's; 60 s without a frame: reconnect
"""

import asyncio
import itertools
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

RECOVER, BEAT = "io.virge.stork.recover", "io.virge.stork.beat"
SILENT_S = 60.0


def is_greater(position: str, than: str | None) -> bool:
    if than is None:
        return True
    epoch, _, number = position.partition(":")
    than_epoch, _, than_number = than.partition(":")
    return epoch != than_epoch or int(number) > int(than_number)


class PlainClient:
    def __init__(self, url: str, who: str, topics: Mapping[str, str | None], say: Callable[..., None]) -> None:
        self.url, self.who, self.say = url, who, say
        self.positions: dict[str, str | None] = dict(topics)
        self.begun: set[str] = set()  # topics that were subscribed to once: from then on there may be a gap
        self.started: set[str] = {topic for topic, since in topics.items() if since}
        self.left = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        for topic, since in self.positions.items():
            if since:
                self.say("start", topic=topic, position=since)
        self.task = asyncio.create_task(self.stay())
        await self.left.wait()
        self.task.cancel()
        await asyncio.wait([self.task])
        for topic in self.positions:
            self.say("left", topic=topic)

    async def leave(self) -> None:
        self.left.set()

    async def stay(self) -> None:
        tries = 0
        while True:
            self.say("state", state="connecting", reason="")
            was_open, reason = False, "lost"
            try:
                async with asyncio.timeout(20):
                    socket = await connect(
                        self.url,
                        subprotocols=[Subprotocol("wamp.2.json")],
                        compression=None,
                        proxy=None,
                        close_timeout=1,
                        ping_interval=None,
                        max_size=None,
                    )
                try:
                    async with asyncio.timeout(30):
                        was_open = await self.join(socket)
                    if was_open:
                        await self.listen(socket)
                finally:
                    await socket.close()
            except ConnectionClosed as closed:
                reason = str(closed.rcvd.code) if closed.rcvd else "lost"
            except TimeoutError:
                reason = "silent"
            except (OSError, InvalidHandshake):
                pass
            tries = 0 if was_open else tries + 1
            self.say("state", state="waiting", reason=reason)
            await asyncio.sleep(random.uniform(0.5, min(20, 2**tries)))

    async def join(self, socket: ClientConnection) -> bool:
        roles = {"subscriber": {}, "caller": {}}
        hello = {"roles": roles, "authmethods": ["ticket"], "authid": self.who}
        await socket.send(json.dumps([1, "realm1", hello]))
        while True:
            message = json.loads(await socket.recv())
            if message[0] == 4:
                await socket.send(json.dumps([5, self.who, {}]))
            else:
                return bool(message[0] == 2)

    async def listen(self, socket: ClientConnection) -> None:
        self.say("state", state="open", reason="")
        ids = itertools.count(1)
        subscribes: dict[int, str] = {}
        recovers: dict[int, str] = {}
        names: dict[int, str] = {}
        held: dict[str, list[tuple[Any, str]]] = {}
        later: set[asyncio.Task[None]] = set()

        async def send(code: int, *rest: Any) -> int:
            request = next(ids)
            await socket.send(json.dumps([code, request, *rest]))
            return request

        async def recover(topic: str, wait_s: float = 0.0) -> None:
            await asyncio.sleep(wait_s)
            recovers[await send(48, {}, RECOVER, [{topic: self.positions[topic]}])] = topic

        async def subscribe(topic: str, wait_s: float = 0.0) -> None:
            await asyncio.sleep(wait_s)
            subscribes[await send(32, {}, topic)] = topic

        def soon(coroutine: Any) -> None:
            task = asyncio.create_task(coroutine)
            later.add(task)
            task.add_done_callback(later.discard)

        for topic in [*self.positions, BEAT]:
            await subscribe(topic)
        try:
            while True:
                async with asyncio.timeout(SILENT_S):
                    message = json.loads(await socket.recv())
                code = message[0]
                if code == 33:
                    topic = subscribes.pop(message[1])
                    names[message[2]] = topic
                    if topic != BEAT:
                        if self.positions[topic] or topic in self.begun:
                            held[topic] = []
                        self.begun.add(topic)
                        await recover(topic)
                elif code == 36:
                    topic, position = names[message[1]], message[5]["position"]
                    if topic == BEAT:
                        for each in set(names.values()) - set(held) - {BEAT} - set(recovers.values()):
                            self.raise_to(each, position)
                    elif topic in held:
                        held[topic].append((message[4][0], position))
                    else:
                        self.hand(topic, message[4][0], position)
                elif code == 50:
                    topic = recovers.pop(message[1])
                    answer = message[3][0].get(topic) or {"recovered": False, "position": None, "events": []}
                    if answer["recovered"]:
                        for event in answer["events"]:
                            self.hand(topic, event, event["position"])
                        self.raise_to(topic, answer["position"])
                        if answer.get("more"):
                            await recover(topic)
                            continue
                    else:
                        self.raise_to(topic, answer["position"])
                        if topic in held:
                            self.say("recovered", topic=topic, ok=False, position=self.positions[topic])
                    was_held = held.pop(topic, None)
                    for event, position in was_held or []:
                        self.hand(topic, event, position)
                    if answer["recovered"]:
                        self.say("recovered", topic=topic, ok=True, position=self.positions[topic])
                elif code == 8 and message[1] == 48:
                    soon(recover(recovers.pop(message[2]), random.uniform(0.5, 2)))
                elif code == 8 and message[1] == 32:
                    soon(subscribe(subscribes.pop(message[2]), random.uniform(0.5, 2)))
                elif code == 6:
                    return
        finally:
            for task in later:
                task.cancel()

    def hand(self, topic: str, event: Any, position: str) -> None:
        if is_greater(position, self.positions[topic]):
            self.positions[topic] = position
            self.started.add(topic)
            self.say("got", topic=topic, id=event["data"]["id"], position=position)

    def raise_to(self, topic: str, position: str | None) -> None:
        if position and is_greater(position, self.positions[topic]):
            self.positions[topic] = position
        if topic not in self.started and self.positions[topic]:
            self.started.add(topic)
            self.say("start", topic=topic, position=self.positions[topic])
