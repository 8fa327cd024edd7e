"""Events as they are measured: the same JSON object for every peer, with a mark that the load client finds in it."""

import random
import time
from collections.abc import Iterator
from itertools import count

EVENT_BYTES = 190
"""The length of the event object, the same for every peer; what a peer's protocol puts around it comes on top."""

_OBJECT = '{"type":"bench","data":"%s","timestamp":"2026-01-31T12:00:00.000Z"}'
_PADDING = "." * (EVENT_BYTES - len(_OBJECT % "") - len("~") - 8 - 18)

Event = tuple[str, bytes]
"""A topic, and the event object."""


def topic(number: int) -> str:
    return f"v1.bench.{number}"


def data(sequence: int, now_ns: int) -> str:
    """``data`` of an event: a mark (see load/tally.h) and padding; ``now_ns`` is ``time.monotonic_ns()``."""
    return f"~{sequence:08d}{now_ns:018d}{_PADDING}"


def event(sequence: int, now_ns: int) -> bytes:
    """The event object of push ``sequence`` (from 1 in each topic); ``EVENT_BYTES`` long."""
    return (_OBJECT % data(sequence, now_ns)).encode()


def burst(pushes: int, topics: int = 1) -> list[Event]:
    """So many events, each for one of the topics at random, always the same ones."""
    numbers: list[Iterator[int]] = [count(1) for _ in range(topics)]
    choose = random.Random(topics).randrange
    now_ns = time.monotonic_ns()
    chosen = [choose(topics) for _ in range(pushes)]
    return [(topic(number), event(next(numbers[number]), now_ns)) for number in chosen]
