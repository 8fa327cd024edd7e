"""Handlers of the application as a consumer: held by this server while a node that has handlers is connected to it."""

from collections.abc import Callable
from pathlib import Path

from stork_node.consumers.asking import ASK_S, QUESTION, NodeReceiver
from stork_node.consumers.calls import CallReader
from stork_node.consumers.files import FileConsumers
from stork_node.engines.interface import Engine
from stork_node.protocol.positions import new_run
from stork_node.webhooks.holding import Ended, Holding, SharedPosition
from stork_node.webhooks.sending import Sender
from stork_node.webhooks.settings import WebhookSettings

NAME = "on_online and on_offline handlers"
_LONGEST_PAUSE_S = 5.0

AskOne = Callable[[str, str, bytes, float, Callable[[bytes | None], None]], None]
"""Takes the incarnation of a node, a question, its params, until when to wait, and who gets the answer."""


class _HandlerForm(WebhookSettings):
    """What handlers are told; they have no address."""

    def reader(self) -> CallReader:
        return CallReader()


class Handlers:
    """
    To be used by the thread of the server.

    Args:
        folder: that of the log.
        nodes: those that have handlers and are connected, as of a time.
        ask: asks one node (``Questions.ask_one``).
        wake: makes the server call ``work`` soon; from any thread.

    Attributes:
        holding: sends, as for a webhook.
        ended: the counts of what has been stopped.
    """

    def __init__(
        self, engine: Engine, folder: Path, nodes: Callable[[float], list[str]], ask: AskOne, wake: Callable[[], None]
    ) -> None:
        self._nodes, self._ask_one = nodes, ask
        self._now = 0.0
        self._receiver = NodeReceiver(self._there, self._ask, wake)
        self.ended = Ended()
        self.holding = Holding(NAME, engine.consumers or FileConsumers(folder), new_run(), self._open, self.ended)

    @property
    def may_hold(self) -> bool:
        """Whether a node with handlers is connected to this server."""
        return bool(self._there())

    def work(self, now: float) -> None:
        """Ask a node, if there is something to tell; to be called in each turn."""
        self._now = now
        self._receiver.work()

    def _there(self) -> list[str]:
        return self._nodes(self._now)

    def _ask(self, incarnation: str, params: bytes, done: Callable[[bytes | None], None]) -> None:
        self._ask_one(incarnation, QUESTION, params, self._now + ASK_S, done)

    def _open(self, shared: SharedPosition, may_send: Callable[[], bool]) -> Sender:
        return Sender(
            _HandlerForm(),
            shared,
            may_send,
            name=NAME,
            receiver=self._receiver,
            longest_pause_s=_LONGEST_PAUSE_S,
        )
