"""
What a publish server could send and an honest one never does, by name: messages of the bus, and answers of replay.

A place is (epoch, run, tail): where the honest server is that is lied about.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from stork_node.protocol.replay import PageHeader, ReplayRequest, encode_page

Message = list[bytes]
Answer = Callable[[ReplayRequest], Message]

NOW = "2026-01-31T12:00:00.000Z"
HIGHEST = 2**53 - 1
EVENT = b'{"type":"lie","data":null,"timestamp":"2026-01-31T12:00:00.000Z"}'


class Place:
    def __init__(self, epoch: str, run: str, tail: int) -> None:
        self.epoch, self.run, self.tail = epoch, run, tail

    def header(self, number: Any, **more: Any) -> bytes:
        return json.dumps({"epoch": self.epoch, "sequence": number, "run": self.run} | more).encode()

    def push(self, number: Any, event: bytes = EVENT, **more: Any) -> bytes:
        fields = {"topics": ["v1.test.lie"], "exclude": [], "store": True} | more
        return b"stork 1 push " + self.header(number, **fields) + b"\n" + event

    def erase(self, number: Any, topic: str = "v1.test.lie", **more: Any) -> bytes:
        return b"stork 1 erase " + self.header(number, topic=topic, **more)

    def heartbeat(self, number: Any, **more: Any) -> bytes:
        return b"stork 1 heartbeat " + self.header(number, **({"time": NOW, "counters": {}} | more))

    def page(self, after: int, last: int, tail: int, *frames: bytes, **names: str) -> Message:
        epoch, run = names.get("epoch", self.epoch), names.get("run", self.run)
        return encode_page(PageHeader(epoch, run, 0, tail, after, last), frames)


def unreadable(at: Place) -> Iterator[tuple[str, Message]]:
    """Messages of the bus that are refused, each of them."""
    push, beat, number = at.push(at.tail + 1), at.heartbeat(at.tail), at.tail + 1
    yield "nothing but the prefix", [b"stork "]
    yield "noise", [b"stork " + bytes(range(256)) * 20]
    yield "zeros", [b"stork 1 push " + bytes(100_000)]
    for cut in (8, 14, 40, len(push) - len(EVENT) - 2, len(push) - 1):
        yield f"a push that ends after {cut} bytes", [push[:cut]]
    yield "a heartbeat that ends early", [beat[:-1]]
    yield "another protocol", [b"stork 2 push " + push[13:]]
    yield "a protocol that is no number", [b"stork \xff\n push " + push[13:]]
    yield "an unknown kind without a number", [b'stork 1 command {"epoch":"e"}']
    yield "a kind that is no word", [b"stork 1 \xf0\x9f\x92\xa9 " + at.header(number)]
    yield "two frames", [push, push]
    yield "an empty frame more", [push, b""]
    yield "64 frames", [push] * 64
    for what, sequence in {
        "a negative number": -1,
        "2^53": 2**53,
        "a number of 400 digits": 10**400,
        "a number of 5,000 digits": int("9" * 4000) * 10**1000,
        "a number that is a text": "1",
        "half a number": 1.5,
        "no number": None,
    }.items():
        with_number = json.dumps(sequence) if not isinstance(sequence, int) else _digits(sequence)
        yield (
            f"{what} in a push",
            [push.replace(b'"sequence": %d' % number, b'"sequence": ' + with_number_bytes(with_number))],
        )
        yield (
            f"{what} in a heartbeat",
            [beat.replace(b'"sequence": %d' % at.tail, b'"sequence": ' + with_number_bytes(with_number))],
        )
    for what, name in {
        "empty": "",
        "of 65 characters": "x" * 65,
        "of 1 MB": "x" * 1_000_000,
        "with a newline": "e\n",
        "with a quote": 'e"},{}]',
        "with U+0000": "\0",
        "of another alphabet": "é",
    }.items():
        for field in ("epoch", "run"):
            yield f"a push with a {field} {what}", [at.push(number, **{field: name})]
            yield f"a heartbeat with a {field} {what}", [at.heartbeat(number, **{field: name})]
            yield (
                f"a kind of a newer release with a {field} {what}",
                [b"stork 1 command " + at.header(number, **{field: name})],
            )
    yield "a header that is not UTF-8", [push.replace(b"v1.test.lie", b"v1.test.\xff")]
    yield "a header that is nested 100,000 levels", [b"stork 1 erase " + b'{"x":' * 100_000]
    yield "a header with a lone surrogate", [push.replace(b"v1.test.lie", b"v1.test.\\ud800")]
    for what, topics in {
        "no topics": [],
        "1,001 topics": [f"v1.test.{n}" for n in range(1001)],
        "100,000 topics": [f"v1.test.{n}" for n in range(100_000)],
        "a topic twice": ["v1.test.1", "v1.test.1"],
        "an empty topic": [""],
        "a pattern": ["v1.test."],
        "the beat": ["io.virge.stork.beat"],
        "a topic of 1 MB": ["v1.test." + "x" * 1_000_000],
        "a topic that is a number": [1],
        "topics that are a text": "v1.test.1",
    }.items():
        yield what, [at.push(number, topics=topics)]
    for topic in ("", "v1.test.", "x" * 1_000_000, "v1.test.1\n"):
        yield f"an erasure of {topic[:10]!r}", [at.erase(number, topic)]
    for exclude in ([0], [-1], [2**53 + 1], [10**30], ["1"], [1.5], None):
        yield f"exclude {exclude}", [at.push(number, exclude=exclude)]
    for what, event in {
        "empty": b"",
        "of another shape": b"[]",
        "without data": b'{"type":"t","timestamp":""}',
        "with a second event behind it": EVENT + EVENT,
        "with another key": EVENT[:-1] + b',"position":"e:1"}',
        "that ends early": EVENT[:-1],
        "of more than 1 MiB": EVENT.replace(b"null", b'"' + b"x" * (1_050_000) + b'"'),
        "that is not UTF-8": EVENT.replace(b"null", b'"\xff"'),
        "nested 100,000 levels": EVENT.replace(b"null", b"[" * 100_000 + b"]" * 100_000),
    }.items():
        yield f"an event {what}", [at.push(number, event)]
    for what, counters in {
        "of 100,000 names": {f"n{n}": 1.0 for n in range(100_000)},
        "with a name that is no word": {"a b\n# HELP x": 1},
        "with an empty name": {"": 1},
        "with a name of 1 MB": {"a" * 1_000_000: 1},
        "that are texts": {"accepted": "1"},
    }.items():
        yield f"counters {what}", [at.heartbeat(at.tail, counters=counters)]
    yield "counters beyond the doubles", [beat.replace(b"{}", b'{"accepted":1e400}')]
    yield "a time of 1 MB", [at.heartbeat(at.tail, time="9" * 1_000_000)]


def _digits(number: int) -> str:
    # Python refuses to write more than 4,300 digits.
    return str(number) if abs(number) < 10**4000 else "9" * 5000


def with_number_bytes(text: str) -> bytes:
    return text.encode()


def misleading(at: Place) -> Iterator[tuple[str, list[Message]]]:
    """Messages of the bus that can be read, and say what is not so."""
    yield "a number from long ago", [[at.push(0)], [at.push(max(0, at.tail - 1))], [at.erase(1)]]
    yield "a push that is far ahead", [[at.push(at.tail + 1000)]]
    yield "the highest number", [[at.push(HIGHEST)], [at.heartbeat(HIGHEST)]]
    yield "heartbeats that go back", [[at.heartbeat(0)] for _ in range(20)]
    yield "another epoch", [[at.push(n, epoch="other")] for n in range(20)]
    yield "another run", [[at.push(n, run="other")] for n in range(20)]
    yield "an epoch of its own for each", [[at.push(1, epoch=f"other{n}", run=f"run{n}")] for n in range(1000)]
    yield "kinds of a newer release", [[b"stork 1 kind%b " % (b"x" * (n % 9)) + at.header(HIGHEST)] for n in range(20)]
    yield (
        "times that are none",
        [
            [at.heartbeat(at.tail, time=time)]
            for time in (
                "",
                "yesterday",
                "0001-01-01T00:00:00",
                "9999-12-31T23:59:59",
                "0001-01-01T00:00:00+23:59",
                "\ud7ff",
            )
        ],
    )


def unbelievable(at: Place) -> Iterator[tuple[str, Answer]]:
    """Answers of replay that are refused."""
    yield "no frames at all", lambda _: [b""]
    yield "noise", lambda _: [bytes(range(256)) * 20]
    yield "a frame of the bus", lambda _: [at.heartbeat(at.tail)]
    yield "an answer about an erasure", lambda _: [b'stork 1 erased {"pushes":1}']
    yield "a header of more than a line", lambda it: [at.page(it.after, it.after, it.after)[0] + b"\n"]
    yield "a header that ends early", lambda it: [at.page(it.after, it.after, it.after)[0][:-1]]
    yield "another protocol", lambda _: [b"stork 9 page {}"]
    yield "refused", lambda _: [b'stork 1 refused {"reason":"no"}']
    yield "refused at length", lambda _: [b'stork 1 refused {"reason":"%b"}' % (b"no\\n" * 250_000)]
    yield "refused without a reason", lambda _: [b"stork 1 refused {}"]
    yield "no epoch", lambda it: at.page(it.after, it.after, it.after, epoch="")
    yield "an epoch that is no name", lambda it: at.page(it.after, it.after, it.after, epoch='"}')
    yield "a run of 1 MB", lambda it: at.page(it.after, it.after, it.after, run="x" * 1_000_000)
    yield (
        "negative numbers",
        lambda _: [b'stork 1 page {"epoch":"e","run":"r","floor":-1,"tail":-1,"after":-1,"last":-1}'],
    )
    yield "2^53", lambda it: at.page(it.after, 2**53, 2**53)
    yield "an end before the beginning", lambda it: at.page(it.after + 2, it.after + 1, it.after + 3)
    yield "a tail before the end", lambda it: at.page(it.after, it.after + 2, it.after + 1)
    yield "empty pages without end", lambda it: at.page(it.after, it.after, HIGHEST)
    yield (
        "a frame of another epoch",
        lambda it: at.page(it.after, it.after + 1, it.after + 1, at.push(it.after + 1, epoch="x")),
    )
    yield "a heartbeat in a page", lambda it: at.page(it.after, it.after + 1, it.after + 1, at.heartbeat(it.after + 1))
    yield (
        "frames in another order",
        lambda it: at.page(it.after, it.after + 2, it.after + 2, at.push(it.after + 2), at.push(it.after + 1)),
    )
    yield "a frame twice", lambda it: at.page(it.after, it.after + 1, it.after + 1, *[at.push(it.after + 1)] * 2)
    yield "a frame beyond the page", lambda it: at.page(it.after, it.after + 1, it.after + 9, at.push(it.after + 5))


def harmful(at: Place) -> Iterator[tuple[str, Answer]]:
    """Answers of replay that have to be believed: nobody but the publish server knows better."""
    yield "replay without end", lambda it: at.page(it.after, it.after + 1, HIGHEST, at.push(it.after + 1))
    yield "the highest number", lambda _: at.page(HIGHEST, HIGHEST, HIGHEST)
    yield "the highest tail", lambda it: at.page(it.after, it.after + 1, HIGHEST)
    yield "another epoch each time", lambda it: at.page(0, 1, 2, epoch=f"{it.epoch[-50:]}x")
    yield "another run each time", lambda it: at.page(it.after, it.after, it.after, run=f"{it.run[-50:]}x")
    yield "pages full of what is no frame", lambda it: at.page(it.after, it.after + 1, HIGHEST, *[b"noise"] * 10_000)
    yield "pages full of empty frames", lambda it: at.page(it.after, it.after + 1, it.after + 1, *[b""] * 19_000)
    yield "large pages", lambda it: at.page(it.after, it.after + 1, HIGHEST, at.push(it.after + 1, _large()))


def _large() -> bytes:
    return EVENT.replace(b"null", b'"' + b"x" * 1_000_000 + b'"')
