"""
What a publish server could send, at random, into the core of a relay: each input costs processor time that is linear in
its bytes, what the relay holds is bounded, and nothing but a refusal is raised. ``scripts/fuzz relay`` runs it.
"""

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from tests import lies
from tests.unit.test_lying_publish_server import ANSWERS, PLACE, UNREADABLE, HonestServer, Shell, check_size, follow

_FRAMES = [
    PLACE.push(13),
    PLACE.push(14),
    PLACE.erase(13),
    PLACE.heartbeat(13),
    *(each[0] for each in UNREADABLE.values()),
]
_PIECES = [
    b"",
    b"\n",
    b" ",
    b'"',
    b"{",
    b"[",
    b"}",
    b"\\ud800",
    b"\xff",
    b"1e400",
    b"9007199254740991",
    b"stork 1 push ",
    b"[],",
]
_TRIES = 5


def allowed_s(size: int) -> float:
    """2 ms, and 1 µs for each byte."""
    return 0.002 + size * 1e-6


def damaged(random: Random, frame: bytes) -> bytes:
    data = bytearray(frame[: random.randrange(len(frame) + 1)] if random.random() < 0.1 else frame)
    for _ in range(random.randrange(4)):
        where = random.randrange(len(data) + 1)
        times = random.choices((1, 2, 111, 1_000, 20_000), (60, 10, 10, 5, 1))[0]
        data[where : where + random.randrange(3)] = random.choice(_PIECES) * times
    return bytes(data)


def make_message(random: Random) -> list[bytes]:
    frame = damaged(random, random.choice(_FRAMES))
    return [frame] * random.choices((1, 2, 100), (20, 1, 1))[0]


def make_answer(random: Random) -> lies.Answer:
    if random.random() < 0.5:
        return random.choice(list(ANSWERS.values()))
    numbers = [random.choice((0, 12, 13, 14, 20, lies.HIGHEST - 1, lies.HIGHEST)) for _ in range(3)]
    frames = [damaged(random, random.choice(_FRAMES[:4])) for _ in range(random.randrange(4))]
    page = PLACE.page(*sorted(numbers), *frames)
    return lambda _: [damaged(random, page[0]) if random.random() < 0.3 else page[0], *page[1:]]


def run(inputs: int, first_seed: int) -> "Counter[str]":
    """Try so many; a relay begins anew after each hundred."""
    found: Counter[str] = Counter()
    for seed in range(first_seed, first_seed + inputs, 100):
        random, shell = Random(seed), Shell()
        if random.random() < 0.5:
            follow(shell, HonestServer("epoch1", "run1", 11))
        for _ in range(min(100, first_seed + inputs - seed)):
            _step(random, shell, seed)
            check_size(shell.stream)
            shell.pass_time(random.choice((0.01, 1.0, 5.0)))
        found["refused"] += shell.refused
        found["breaks"] += shell.breaks
        found["delivered"] += len(shell.delivered)
    return found


def _step(random: Random, shell: Shell, seed: int) -> None:
    if shell.request and random.random() < 0.7:
        frames = make_answer(random)(shell.request)
        shell.request = None
        _bounded(sum(map(len, frames)) + 9 * len(frames), lambda: shell.answered(frames), seed)
    else:
        message = make_message(random)
        _bounded(sum(map(len, message)), lambda: shell.hear(message), seed)


def _bounded(size: int, function: Callable[[], None], seed: int) -> None:
    gc.disable()
    try:
        began = time.process_time()
        function()
        seconds = time.process_time() - began
    finally:
        gc.enable()
    assert seconds <= allowed_s(size), f"seed {seed}: {size:,} bytes took {seconds * 1e3:.1f} ms"


def main(inputs: int = 200_000, first_seed: int = 0) -> None:
    """Tries ``inputs`` of them; ends with 1 at the first that costs too much, or raises."""
    print(dict(run(inputs, first_seed)))
    print(f"{inputs:,} messages and answers, each within 2 ms + 1 us for each byte of it")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
