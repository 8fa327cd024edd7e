"""Some minutes in the life of two nodes: browsers come, pushes swell, and one thing after the other goes wrong."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import count

from stork_node import Publisher, PushFailed, Subscriber, SubscriberEnded
from tests.chaos.cluster import Cluster
from tests.chaos.schedule import APPLICATIONS, BUSES, NODES, SERVER, Fault
from tests.monitoring.picture import Happening

BROWSERS, USERS = 240, 80
TOPICS = 40
QUIET, BUSY = 20.0, 300.0  # pushes a second, or somewhat fewer: each is answered before the next

# In hundredths of the scene: when it begins, what happens, and for how many seconds.
_FAULTS = (
    (40, Fault(1, "kill", SERVER, 8, 0), "publish server killed"),
    (55, Fault(2, "reset", BUSES[0], 8, 0), "node 1 cut off from it"),
    (69, Fault(3, "kill", NODES[1], 8, 0), "node 2 killed"),
    (85, Fault(4, "kill", APPLICATIONS[0], 2, 0), "application of node 1 killed"),
)
_JOINED, _SWELLS, _EBBS = 15, 20, 33  # hundredths: all browsers are there; pushes are more; pushes are fewer


class Browsers:
    """Subscribers through HAProxy, in a thread of their own, and somebody with a wrong ticket."""

    def __init__(self, url: str, within_s: float) -> None:
        self._url, self._pause_s = url, within_s / BROWSERS
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._all()])

    def __enter__(self) -> "Browsers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._strangers())
            for number in range(BROWSERS):
                tasks.create_task(self._follow(number))
                await self._wait(self._pause_s)

    async def _follow(self, number: int) -> None:
        async with Subscriber(self._url, ticket="right", authid=f"user {number % USERS}") as stork:
            stork.subscribe(f"v1.chaos.{number % TOPICS}", lambda event: None)
            await self._stop.wait()

    async def _strangers(self) -> None:
        while not self._stop.is_set():
            with suppress(SubscriberEnded, TimeoutError):
                async with Subscriber(self._url, ticket="wrong") as stork:
                    await asyncio.wait_for(stork.wait_closed(), 5)
            await self._wait(2.0)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


class Pusher:
    """Pushes at a rate, each repeated until it is answered, from a thread."""

    def __init__(self, endpoint: str) -> None:
        self.rate = QUIET
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._push)

    def __enter__(self) -> "Pusher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _push(self) -> None:
        with Publisher(self._endpoint, timeout_ms=2000) as publisher:
            for number in count():
                if self._stop.wait(1 / self.rate):
                    return
                with suppress(PushFailed):
                    publisher.push(f"v1.chaos.{number % TOPICS}", type="scene", data={"text": "x" * 1000})


def play(
    cluster: Cluster, seconds: float, tell: Callable[[float, str], None], afterwards: Callable[[list[Happening]], None]
) -> None:
    """
    Let it happen, and call ``afterwards`` with what happened while everybody is still there.

    Args:
        seconds: how long the scene is.
        tell: called about once a second, with the seconds that have passed and what goes on.
    """
    began = time.time()
    happenings: list[Happening] = []

    def until(hundredth: float, doing: str) -> None:
        while (passed := time.time() - began) < seconds * hundredth / 100:
            tell(passed, doing)
            time.sleep(min(1.0, seconds * hundredth / 100 - passed))

    def happens(what: str) -> None:
        happenings.append((time.time(), what))

    with ExitStack() as stack:
        stack.enter_context(Browsers(cluster.url, seconds * _JOINED / 100))
        pusher = stack.enter_context(Pusher(cluster.router))
        until(_SWELLS, "browsers come")
        happens("many pushes")
        pusher.rate = BUSY
        until(_EBBS, "many pushes")
        pusher.rate = QUIET
        for hundredth, fault, what in _FAULTS:
            until(hundredth, "few pushes")
            happens(what)
            cluster.begin(fault)
            until(hundredth + 100 * fault.seconds / seconds, what)
            cluster.end(fault)
        until(100, "few pushes")
        afterwards(happenings)
