"""
Passes questions on to the nodes, and collects their replies (``protocol.commands.questions``).

Everything is bounded: the questions that are open, those on their way to one node, and the bytes of their replies.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec import UNSET, Raw

from stork_node.protocol.commands.questions import (
    MAX_CONTENT_BYTES,
    MAX_PARAMS_BYTES,
    Ask,
    Question,
    Replies,
    Reply,
    encode_question,
    encode_replies,
)

MOST_OPEN = 1_000
MOST_REPLY_BYTES = 4 << 20
"""Of all replies to one question: a further node is missing."""
MOST_HELD_BYTES = 64 << 20
"""Of all replies that are not sent yet."""
# A node's replies wait in the queue of one connection, which may hold 256 KiB.
_AT_ONCE = 3
_RETRY_S = 0.01


@dataclass(frozen=True)
class AskedNode:
    """``label`` is its name; ``is_silent``: it has not said a lease for seconds, and is not waited for."""

    label: str
    incarnation: str
    is_silent: bool


@dataclass
class _Open:
    envelope: list[bytes]
    asked: Ask
    until: float
    done: Callable[[bytes | None], None] | None = None
    """For a question of this server itself."""
    waits_for: dict[str, str] = field(default_factory=dict)
    """Labels of nodes by their incarnations."""
    nodes: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    size: int = 0


@dataclass
class _Line:
    """The connection to a node."""

    envelope: list[bytes] | None = None
    sent: set[int] = field(default_factory=set)
    waiting: deque[tuple[int, bytes]] = field(default_factory=deque)


class Questions:
    """
    Times are seconds of a clock that never goes back.

    Args:
        nodes: the attached nodes, as of a time.
        send: takes an envelope and the frames after it; returns False where its queue is full.
    """

    def __init__(
        self, nodes: Callable[[float], Sequence[AskedNode]], send: Callable[[list[bytes], list[bytes]], bool]
    ) -> None:
        self._nodes, self._send = nodes, send
        self._open: dict[int, _Open] = {}
        self._last_id = 0
        self._lines: dict[str, _Line] = {}
        self._done: deque[tuple[float, list[bytes], list[bytes]]] = deque()
        self._held = 0

    def note(self, incarnation: str, envelope: list[bytes]) -> None:
        """A node has said a lease on this connection: questions go there."""
        line = self._lines.setdefault(incarnation, _Line())
        if line.envelope != envelope:
            line.envelope, line.sent = envelope, set()
        self._pump(line)

    def ask(self, envelope: list[bytes], asked: Ask, old: int, now: float) -> None:
        """Ask the nodes; ``old``: how many nodes follow that answer no questions."""
        nodes = self._nodes(now)
        attached = {node.incarnation for node in nodes}
        self._lines = {key: line for key, line in self._lines.items() if key in attached}
        chosen = [node for node in nodes if node.incarnation != asked.incarnation and asked.node in ("", node.label)]
        missing = [] if asked.node else [f"old-{number}" for number in range(1, old + 1)]
        if asked.node and all(node.label != asked.node for node in nodes):
            missing = [asked.node]
        opened = _Open(envelope, asked, now + asked.wait_ms / 1000, missing=missing)
        is_refused = len(self._open) >= MOST_OPEN or len(asked.params) > MAX_PARAMS_BYTES
        missing += [node.label for node in chosen if node.is_silent or is_refused]
        if not is_refused:
            opened.waits_for = {node.incarnation: node.label for node in chosen if not node.is_silent}
        self._last_id += 1
        self._open[self._last_id] = opened
        frame = encode_question(Question(self._last_id, asked.question, asked.params))
        for incarnation in opened.waits_for:
            line = self._lines.setdefault(incarnation, _Line())
            line.waiting.append((self._last_id, frame))
            self._pump(line)
        self._settle(self._last_id)

    def ask_one(
        self, incarnation: str, question: str, params: bytes, until: float, done: Callable[[bytes | None], None]
    ) -> None:
        """Ask one node, for this server itself; ``done`` gets its answer, or None if there is none by then."""
        opened = _Open([], Ask(0, question, Raw(params)), until, done=done)
        opened.waits_for = {incarnation: ""}
        self._last_id += 1
        self._open[self._last_id] = opened
        line = self._lines.setdefault(incarnation, _Line())
        line.waiting.append((self._last_id, encode_question(Question(self._last_id, question, Raw(params)))))
        self._pump(line)

    def take(self, envelope: list[bytes], reply: Reply) -> None:
        """Take a node's reply; one that comes too late, or from somebody else, goes nowhere."""
        opened = self._open.get(reply.id)
        for incarnation, label in opened.waits_for.items() if opened else ():
            line = self._lines.get(incarnation)
            if opened and line and line.envelope == envelope and reply.id in line.sent:
                del opened.waits_for[incarnation]
                self._keep(opened, label, reply)
                line.sent.discard(reply.id)
                self._settle(reply.id)
                self._pump(line)
                return

    def due(self, now: float) -> float | None:
        """Seconds until ``work`` has something to do; None while nobody asks."""
        if self._done:
            return _RETRY_S
        return min((max(0.0, opened.until - now) for opened in self._open.values()), default=None)

    def work(self, now: float) -> None:
        """Settle questions whose time is over, and send what is settled; to be called in each turn."""
        for number in [number for number, opened in self._open.items() if opened.until <= now]:
            opened = self._open[number]
            for incarnation in opened.waits_for:
                if line := self._lines.get(incarnation):
                    line.sent.discard(number)
                    self._pump(line)
            opened.missing += opened.waits_for.values()
            opened.waits_for = {}
            self._settle(number)
        # The queue of a connection is short: one that is full is tried again.
        for _ in range(len(self._done)):
            until, envelope, frames = self._done.popleft()
            if not self._send(envelope, frames) and now < until:
                self._done.append((until, envelope, frames))
            else:
                self._held -= sum(map(len, frames[1:]))

    def _keep(self, opened: _Open, label: str, reply: Reply) -> None:
        content = b"" if reply.content is UNSET else bytes(reply.content)
        room = min(MAX_CONTENT_BYTES, MOST_REPLY_BYTES - opened.size, MOST_HELD_BYTES - self._held)
        if not 0 < len(content) <= room:
            opened.missing.append(label)
            return
        opened.nodes.append(label)
        opened.contents.append(content)
        opened.size += len(content)
        self._held += len(content)

    def _settle(self, number: int) -> None:
        opened = self._open[number]
        if opened.waits_for:
            return
        del self._open[number]
        if opened.done:
            self._held -= opened.size
            opened.done(opened.contents[0] if opened.contents else None)
            return
        replies = Replies(opened.asked.id, tuple(opened.nodes), tuple(opened.missing))
        self._done.append((opened.until + 1.0, opened.envelope, encode_replies(replies, opened.contents)))

    def _pump(self, line: _Line) -> None:
        """Send what waits for a node, a few questions at once: its replies come back by one connection."""
        while line.envelope and line.waiting and len(line.sent) < _AT_ONCE:
            number, frame = line.waiting.popleft()
            if number in self._open:
                line.sent.add(number)
                self._send(line.envelope, [frame])
