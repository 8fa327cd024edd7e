"""An application with on_online and on_offline handlers at nodes without routers."""

import asyncio
from typing import Any

from stork_components.questions.deployment import Deployment
from stork_node.application.declarations import Handler
from stork_node.application.running.presence_calls import PresenceCalls, Told
from stork_node.consumers.asking import QUESTION
from stork_node.presence.handlers import PresenceHandlers
from tests.components.routerless import Node


def _nothing(user: str, topic: str | None) -> None:
    """Stands for a handler; ``App`` hears its calls."""


class App:
    """
    One process: forgets what it was told when it ends.

    Attributes:
        heard: all calls of all processes, in order: kind, user, topic.
        fails: how many of the next calls raise.
        asked: how many batches have come.
    """

    def __init__(self, heard: list[tuple[str, str, str | None]]) -> None:
        self.heard, self.fails, self.asked, self.is_there = heard, 0, 0, True
        handlers = {
            kind: [Handler.declare(kind, lambda user, topic: None, "user", "topic")] for kind in ("online", "offline")
        }
        self._calls = PresenceCalls(handlers, self._call)

    async def _call(self, handler: Handler, user: str, topic: str | None) -> None:
        if self.fails > 0:
            self.fails -= 1
            raise ValueError("the database is away")
        self.heard.append((handler.kind, user, topic))

    def answer(self, params: dict[str, Any]) -> dict[str, str]:
        if not self.is_there:
            return {"error": "have not been called: the application is not there"}
        self.asked += 1
        told = [Told(**each) for each in params["events"]]
        try:
            asyncio.run(self._calls.tell(told, params["within_s"]))
        except ValueError as error:
            return {"error": f"have failed: {error}"}
        return {"error": ""}


class FollowingNode(Node):
    """A node whose application has handlers; ``app`` may be replaced."""

    def __init__(self, bus: str, replay: str, name: str, app: App) -> None:
        self.app, self.deployment = app, Deployment()
        handlers = PresenceHandlers()
        handlers.are_declared = True
        super().__init__(bus, replay, name, handlers)
        self.deployment.join(self.reactor, self.link.say, self.attending)
        self.deployment.answer(QUESTION, lambda params: self.app.answer(params))

    def _leased(self, messages: list[list[bytes]]) -> None:
        super()._leased([message for message in messages if not self.deployment.heard(message)])
