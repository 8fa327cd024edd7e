"""Tells one node at a time what its handlers are to be called with, by the publish server's questions."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

import msgspec
from msgspec import Struct

QUESTION = "handlers"
"""Its params are ``{"events": […], "within_s": 7}``, and the answer ``{"error": "…"}``, with an empty text for done."""

WITHIN_S = 7.0
"""Calls begin for so long after a node was asked; the rest is asked for again."""
ASK_S = 10.0
"""A node that does not answer for so long may not have been reached, and has begun its last call before."""
_LONGEST_S = 30.0


class _Answer(Struct):
    error: str = ""


_decode = msgspec.json.Decoder(_Answer).decode

Ask = Callable[[str, bytes, Callable[[bytes | None], None]], None]
"""Ask the node of an incarnation; then the answer comes, or None."""


class NodeReceiver:
    """
    Posts from one thread; ``work`` is for the thread of the server.

    Args:
        nodes: the incarnations that have handlers and can be asked.
        wake: makes the server call ``work`` soon.
    """

    def __init__(self, nodes: Callable[[], Sequence[str]], ask: Ask, wake: Callable[[], None]) -> None:
        self._nodes, self._ask, self._wake = nodes, ask, wake
        self._waiting: tuple[bytes, Future[str]] | None = None
        self._open: Future[str] | None = None
        self._asked = ""
        self._passed_over = ""

    def post(self, body: bytes) -> str:
        """Have the handlers called; returns why they were not, as a clause, or nothing."""
        answer: Future[str] = Future()
        self._open, self._waiting = answer, (body, answer)
        self._wake()
        try:
            return answer.result(_LONGEST_S)
        except TimeoutError:
            return "have not been called: no node with handlers is there"
        finally:
            self._open = self._waiting = None

    def abort(self) -> None:
        """End the waiting; from any thread."""
        if self._open:
            _settle(self._open, "have not been called: the publish server stops")

    def work(self) -> None:
        """Ask a node, if there is something to ask: the same one as before, unless it has failed."""
        waiting, nodes = self._waiting, self._nodes()
        if waiting is None or not nodes:
            return
        self._waiting = None
        body, answer = waiting
        others = [each for each in nodes if each != self._passed_over]
        node = self._asked if self._asked in others else (others or nodes)[0]
        self._asked = node

        def take(content: bytes | None) -> None:
            error = "have not been called: the node has not answered"
            if content is not None:
                with suppress(msgspec.DecodeError):
                    error = _decode(content).error
            self._passed_over = node if error else ""
            _settle(answer, error)

        self._ask(node, b'{"within_s":%g,%b' % (WITHIN_S, body[1:]), take)


def _settle(answer: "Future[str]", error: str) -> None:
    with suppress(InvalidStateError):
        answer.set_result(error)
