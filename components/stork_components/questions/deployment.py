"""
Asks the other nodes by the publish server, and answers what they ask.

    deployment = singleton(Deployment)
    deployment.answer("topic", lambda params: router.count_receivers(params["topic"]))     # at each node's start
    answers = await deployment.ask("topic", {"topic": "v1.orders.42"})
    answers.by_node, answers.missing                                        # {"node-1": 2, "node-2": 0}, ["node-3"]
"""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

import msgspec
from twisted.internet import defer
from twisted.logger import Logger

from stork_components.commands.attending import Attending
from stork_crossbar.internals.zmq_reader import Message
from stork_node.nodes.answers import Answers
from stork_node.protocol.commands.leases import encode_node_request
from stork_node.protocol.commands.questions import (
    MAX_CONTENT_BYTES,
    MAX_PARAMS_BYTES,
    Ask,
    Question,
    Replies,
    Reply,
    decode_questions,
)

WAIT_S = 2.0
"""A node that says nothing for so long is missing."""
# The publish server ends a question in time; this is for one that is away.
_AWAY_S = 1.0
_MOST_OPEN = 500

Answerer = Callable[[Any], Any | Awaitable[Any]]


class Deployment:
    """One in a process; it asks this node alone until the relay has joined it."""

    _log = Logger()

    def __init__(self) -> None:
        self._answerers: dict[str, Answerer] = {}
        self._open: dict[int, defer.Deferred[tuple[Replies, list[bytes]]]] = {}
        self._last_id = 0
        self._reactor: Any = None
        self._say: Callable[[bytes], bool] | None = None
        self._attending: Attending | None = None

    def answer(self, question: str, answerer: Answerer) -> None:
        """
        Have ``answerer`` answer a question at this node: it takes the params, and returns what JSON has, of at most
        48 KiB, or an awaitable of it. An exception makes this node missing.
        """
        self._answerers[question] = answerer

    def knows(self, question: str) -> bool:
        """Whether this node answers it."""
        return question in self._answerers

    def join(self, reactor: Any, say: Callable[[bytes], bool], attending: Attending) -> None:
        """The relay has started: ``say`` takes frames for the publish server."""
        self._reactor, self._say, self._attending = reactor, say, attending

    def leave(self) -> None:
        """The relay has ended."""
        self._reactor = self._say = self._attending = None

    async def ask(self, question: str, params: Any = None, *, node: str = "", wait_s: float = WAIT_S) -> Answers:
        """
        Ask all nodes, or the one with this name; takes ``wait_s`` at most where the publish server is there.

        Args:
            params: what JSON has, at most 16 KiB.

        Raises:
            ValueError: the params are too large.
        """
        encoded = msgspec.json.encode(params)
        if len(encoded) > MAX_PARAMS_BYTES:
            raise ValueError(f"the params have {len(encoded):,} bytes, at most {MAX_PARAMS_BYTES:,} are allowed")
        others = self._ask_others(question, encoded, node, wait_s)
        own = self.label
        by_node: dict[str, Any] = {}
        missing: list[str] = []
        if node in ("", own):
            try:
                by_node[own] = msgspec.json.decode(await self._answer(question, encoded))
            except Exception:
                self._log.failure("this node could not answer {question}", question=question)
                missing.append(own)
        if others is None:
            return Answers(by_node, missing if node in ("", own) else [node])
        try:
            replies, contents = await others
        except defer.TimeoutError:
            return Answers(by_node, missing + [label for label in self._other_labels() if node in ("", label)])
        for label, content in zip(replies.nodes, contents, strict=True):
            try:
                by_node[label] = msgspec.json.decode(content)
            except (msgspec.DecodeError, RecursionError):
                missing.append(label)
        return Answers(by_node, missing + list(replies.missing))

    @property
    def label(self) -> str:
        """The name of this node, in answers."""
        return self._attending.label if self._attending else "node"

    def heard(self, message: Message) -> bool:
        """
        Take a message of the publish server; returns whether it was about questions.

        Raises:
            InvalidFrame: it has another form.
        """
        read = decode_questions(message)
        if read is None:
            return False
        if isinstance(read, Question):
            defer.ensureDeferred(self._reply(read))
        elif waiting := self._open.get(read[0].id):
            waiting.callback(read)
        return True

    def _ask_others(
        self, question: str, params: bytes, node: str, wait_s: float
    ) -> "defer.Deferred[tuple[Replies, list[bytes]]] | None":
        """None where there are no others to be asked."""
        attending, say = self._attending, self._say
        if attending is None or say is None or not attending.is_understood or node == attending.label:
            return None
        self._last_id += 1
        number = self._last_id
        wait_ms = int(wait_s * 1000)
        ask = Ask(number, question, msgspec.Raw(params), attending.incarnation, node, wait_ms)
        waiting: defer.Deferred[tuple[Replies, list[bytes]]] = defer.Deferred()
        if len(self._open) >= _MOST_OPEN or not say(encode_node_request(ask)):
            return defer.fail(defer.TimeoutError())
        self._open[number] = waiting
        waiting.addTimeout(wait_s + _AWAY_S, self._reactor)
        waiting.addBoth(self._close, number)
        return waiting

    def _close(self, outcome: Any, number: int) -> Any:
        del self._open[number]
        return outcome

    def _other_labels(self) -> list[str]:
        attending = self._attending
        if attending is None:
            return []
        labels = attending.nodes.table.labels()
        return [label for incarnation, label in labels.items() if incarnation != attending.incarnation]

    async def _answer(self, question: str, params: bytes) -> bytes:
        answer = self._answerers[question](msgspec.json.decode(params))
        if isawaitable(answer):
            answer = await answer
        return msgspec.json.encode(answer)

    async def _reply(self, question: Question) -> None:
        reply = Reply(question.id)
        if question.question in self._answerers:
            try:
                content = await self._answer(question.question, bytes(question.params))
            except Exception:
                self._log.failure("this node could not answer {question}", question=question.question)
            else:
                if len(content) <= MAX_CONTENT_BYTES:
                    reply = Reply(question.id, msgspec.Raw(content))
        if self._say is not None:
            self._say(encode_node_request(reply))
