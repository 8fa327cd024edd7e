"""
Random inputs for the gate, and what each may cost; used by ``test_gate_fuzz.py`` and ``scripts/fuzz``. What Pusher
clients send does not pass the gate, and may cost no more.

The bound on time is one of processor time, on the quickest of a few tries: what else the machine does is not counted.
"""

import gc
import json
import multiprocessing
import sys
import time
import tracemalloc
from collections import Counter
from random import Random
from typing import Any

import cbor2
import msgpack
from autobahn.wamp.exception import InvalidUriError, ProtocolError
from autobahn.wamp.serializer import Serializer
from rich.progress import Progress

from stork_node.config.limits import ClientLimits
from stork_node.gate.bounds import Unreadable
from stork_node.gate.options import SenderKind
from stork_node.gate.reading import Gate
from stork_node.pusher import client_frames
from stork_node.pusher.errors import InvalidFrame

PUSHER = "pusher"
GATE = Gate(ClientLimits())
_TRIES = 8


def allowed_s(size: int) -> float:
    return 1e-3 + 1e-6 * size


def allowed_bytes(size: int) -> int:
    return 64 * 1024 + 40 * size


def read(message: bytes, serializer: str, sender: SenderKind) -> str:
    """The outcome of a message: ``passed``, or the reason of its refusal. Any other exception is a bug."""
    if serializer == PUSHER:
        return _read_frame(message)
    try:
        raw = GATE.read(message, serializer, sender)
    except Unreadable as error:
        return error.reason.split("(")[0]
    try:
        Serializer.MESSAGE_TYPE_MAP[raw[0]].parse(raw)
    except (ProtocolError, InvalidUriError):
        return "no WAMP message for autobahn"
    return "passed"


def _read_frame(message: bytes) -> str:
    if len(message) > client_frames.MAX_FRAME_BYTES:
        return "too big"
    try:
        return type(client_frames.decode(message)).__name__
    except InvalidFrame as error:
        return error.reason.split(":")[0]


def measure(message: bytes, serializer: str, sender: SenderKind) -> tuple[str, float, int]:
    """The outcome of a message, the seconds of CPU time, and the peak of memory in bytes."""
    outcome, quickest_s = "", float("inf")
    for _ in range(_TRIES):
        began = time.process_time()
        outcome = read(message, serializer, sender)
        quickest_s = min(quickest_s, time.process_time() - began)
        if quickest_s <= allowed_s(len(message)):
            break
    tracemalloc.start()
    read(message, serializer, sender)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return outcome, quickest_s, peak


def check(message: bytes, serializer: str, sender: SenderKind, outcomes: "Counter[str] | None" = None) -> None:
    """Assert that an input costs no more than it may."""
    gc.disable()
    try:
        outcome, seconds, peak = measure(message, serializer, sender)
    finally:
        gc.enable()
    if outcomes is not None:
        outcomes[f"{serializer}: {outcome}"] += 1
    case = f"{serializer} of {len(message)} bytes, {message[:60]!r}…: {outcome}"
    assert seconds <= allowed_s(len(message)), f"{case} after {seconds * 1e3:.1f} ms"
    assert peak <= allowed_bytes(len(message)), f"{case} with {peak // 1024} KiB"


# -- inputs ------------------------------------------------------------------------------------------------------------

_OPTIONS = ("match", "forward_for", "timeout", "roles", "authmethods", "authid", "acknowledge", "progress", "mode", "x")
_ROLES = ("subscriber", "caller", "publisher", "callee", "broker")
_REQUESTS = (8, 16, 32, 34, 48, 49, 64, 66, 70)
_TEXTS = ("", "a", "v1.test.1", "io.virge.stork.recover", "ä€😀", "\0aGk=", "\0", "x" * 300, "prefix", "ticket")
_NUMBERS = (0, 1, -1, -33, 255, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63), 0.5, -1e300)

_ENCODERS: dict[str, Any] = {
    "json": lambda message: json.dumps(message).encode(),
    "msgpack": msgpack.packb,
    "cbor": cbor2.dumps,
    PUSHER: lambda message: json.dumps(message).encode(),
}
# What has been trouble in one parser or another, to be repeated and put into messages.
_TROUBLE = {
    "json": rb'[ ] { } " \\ , : 0 1 - . e \" \u0000 \ud800 "\u0000aGk=" 1e400 NaN [] {} [1], {"": 123456789012'.split(),
    "msgpack": [bytes([byte]) for byte in range(0x80, 0xE0)] + [b"\xdd\xff\xff\xff\xff", b"\x81\xa1a", b"\xa2ab\1"],
    "cbor": [bytes([byte]) for byte in (*range(0x18, 0x20), *range(0x38, 0x60), *range(0x60, 0x100, 3))]
    + [b"\xd8\x1c", b"\xd8\x1d\0", b"\x9f", b"\xbf", b"\x7f", b"\x9b" + b"\xff" * 8, b"\xa1\x61a", b"\xc2\x50"],
}


_TROUBLE[PUSHER] = _TROUBLE["json"]
_EVENTS = ("pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:ping", "pusher:x", "client-x", "x")
_MEMBERS = ("channel", "auth", "channel_data", "since", "sessions", "user_data", "x")


def _value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(8 if depth < 4 else 5)
    if kind < 5:
        return (None, random.random() < 0.5, random.choice(_NUMBERS), random.choice(_TEXTS), random.random())[kind]
    if kind < 7:
        return [_value(random, depth + 1) for _ in range(random.randrange(5))]
    return {random.choice(_TEXTS): _value(random, depth + 1) for _ in range(random.randrange(4))}


def _options(random: Random) -> dict[str, Any]:
    return {random.choice(_OPTIONS): _value(random) for _ in range(random.randrange(4))}


def _message(random: Random) -> Any:
    kind = random.randrange(6)
    if kind == 0:
        return _value(random)
    if kind == 1:
        roles = {role: {"features": _options(random)} for role in random.sample(_ROLES, 2)}
        return [1, random.choice(_TEXTS), {**_options(random), "roles": random.choice((roles, _value(random)))}]
    if kind == 2:
        return [random.choice((3, 5, 6)), *random.sample((random.choice(_TEXTS), _options(random)), 2)]
    head = [random.choice(_REQUESTS), random.choice((1, 2**53, -1)), _options(random), random.choice(_TEXTS)]
    return [*head, *random.sample(([_value(random)], {"k": _value(random)}), random.randrange(3))]


def _frame(random: Random) -> Any:
    data: Any = {random.choice(_MEMBERS): _value(random, 3) for _ in range(random.randrange(5))} | {"channel": "a.1"}
    if random.random() < 0.5:
        data |= {"since": "e:1", "sessions": [f"{random.getrandbits(53)}.1"] * random.choice((0, 1, 2_000))}
    data = random.choice((data, data, json.dumps(data), _value(random)))
    return {"event": random.choice(_EVENTS), "data": data, "channel": random.choice(_TEXTS)}


def make_input(seed: int) -> tuple[bytes, str, SenderKind]:
    """Bytes, the serializer that they are said to be of, and who sent them: a message with some damage, mostly."""
    random = Random(seed)
    serializer = random.choice(tuple(_ENCODERS))
    made = _frame(random) if serializer == PUSHER else _message(random)
    message = bytearray(_ENCODERS[serializer](made) if random.random() < 0.8 else random.randbytes(20))
    for _ in range(random.randrange(4)):
        where = random.randrange(len(message) + 1)
        piece = random.choice(_TROUBLE[serializer]) if random.random() < 0.7 else random.randbytes(random.randrange(4))
        times = random.choices((1, 2, 111, 1_000, 20_000), (60, 10, 10, 5, 1))[0]
        message[where : where + random.randrange(3)] = piece * times
    return bytes(message), serializer, random.choice(tuple(SenderKind))


# -- scripts/fuzz ------------------------------------------------------------------------------------------------------

_PORTION = 1_000


def _run(first_seed: int) -> "Counter[str]":
    outcomes: Counter[str] = Counter()
    for seed in range(first_seed, first_seed + _PORTION):
        try:
            check(*make_input(seed), outcomes)
        except Exception as error:
            raise SystemExit(f"seed {seed}: {error!r}") from error
    return outcomes


def main(inputs: int = 1_000_000, first_seed: int = 0) -> None:
    """Tries ``inputs`` of them, and prints what became of how many. Ends with 1 at the first that costs too much."""
    outcomes: Counter[str] = Counter()
    with multiprocessing.Pool() as pool, Progress() as progress:
        task = progress.add_task("inputs", total=inputs)
        for some in pool.imap_unordered(_run, range(first_seed, first_seed + inputs, _PORTION)):
            outcomes += some
            progress.update(task, completed=outcomes.total())
    for outcome, number in outcomes.most_common():
        print(f"{number:10,}  {outcome}")
    print(f"{outcomes.total():10,}  inputs, each within 1 ms + 1 us and 64 KiB + 40 bytes for each byte of it")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
