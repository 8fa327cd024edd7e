"""
Subscribers, in a process of their own: ``python -m tests.chaos.following subscriber|plain URL``.

Standard input says who is to follow what, and standard output says what each one saw, one JSON object a line:

    {"op": "follow", "who", "topics": {topic: position or null}}          {"op": "leave", "who"}

    {"who", "kind": "state", "state", "reason", "at"}                     connecting, open, waiting, closed
    {"who", "kind": "start", "topic", "position", "at"}                   the first position that it knows
    {"who", "kind": "got", "topic", "id", "position", "at"}
    {"who", "kind": "recovered", "topic", "ok", "position", "at"}
    {"who", "kind": "left", "topic", "at"}

``following.mjs`` is the same with stork.js.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from stork_node import Event, Subscriber
from tests.chaos.plain_client import PlainClient

Topics = Mapping[str, str | None]


class Follower(Protocol):
    async def run(self) -> None: ...

    async def leave(self) -> None: ...


def say(who: str, kind: str, **what: Any) -> None:
    print(json.dumps({"who": who, "kind": kind, **what, "at": time.time()}), flush=True)


class WithSubscriber:
    """With ``stork_node.Subscriber``."""

    def __init__(self, url: str, who: str, topics: Topics) -> None:
        self._who, self._topics, self._left = who, topics, asyncio.Event()
        self._stork = Subscriber(url, ticket=who, authid=who, on_state=self._state)

    async def run(self) -> None:
        async with self._stork as stork:
            subscriptions = [
                stork.subscribe(topic, self._got, since=since, on_recovered=self._recovered)
                for topic, since in self._topics.items()
            ]
            unknown = list(subscriptions)
            while not self._left.is_set():
                for subscription in [each for each in unknown if each.position]:
                    unknown.remove(subscription)
                    say(self._who, "start", topic=subscription.topic, position=subscription.position)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), 0.05 if unknown else None)
            for subscription in subscriptions:
                stork.unsubscribe(subscription)
                say(self._who, "left", topic=subscription.topic)

    async def leave(self) -> None:
        self._left.set()

    def _state(self, change: Any) -> None:
        say(self._who, "state", state=change.state, reason=change.ending.reason if change.ending else "")

    def _got(self, event: Event) -> None:
        say(self._who, "got", topic=event.topic, id=event.data["id"], position=event.position)

    def _recovered(self, topic: str, ok: bool, position: str | None) -> None:
        say(self._who, "recovered", topic=topic, ok=ok, position=position)


def plain(url: str, who: str, topics: Topics) -> PlainClient:
    return PlainClient(url, who, topics, lambda kind, **what: say(who, kind, **what))


KINDS: dict[str, Callable[[str, str, Topics], Follower]] = {"subscriber": WithSubscriber, "plain": plain}


async def main(kind: str, url: str) -> None:
    loop, commands, followers = asyncio.get_running_loop(), asyncio.Queue[Any](), {}

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(commands.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(commands.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    tasks = {}
    while command := await commands.get():  # None: the end of the run, at which nobody leaves
        who = command["who"]
        if command["op"] == "follow":
            followers[who] = KINDS[kind](url, who, command["topics"])
            tasks[who] = asyncio.create_task(followers[who].run())
            tasks[who].add_done_callback(lambda task: task.result())
        else:
            await followers.pop(who).leave()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
