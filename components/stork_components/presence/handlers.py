"""Hands what on_online and on_offline handlers are told over to the application of this node."""

from typing import Any

from autobahn.wamp.exception import ApplicationError

from stork_components.questions.deployment import Deployment
from stork_crossbar.component import Component
from stork_node.consumers.asking import QUESTION
from stork_node.protocol import uris


def answer_in(deployment: Deployment, session: Component) -> None:
    """Have this node answer the question for its handlers: ``{"error": "…"}``, with an empty text for done."""

    async def answer(params: Any) -> dict[str, str]:
        try:
            error = await session.call(uris.APP_PRESENCE, params["events"], params["within_s"])
        except ApplicationError as failure:
            gone = failure.error in (ApplicationError.NO_SUCH_PROCEDURE, ApplicationError.CANCELED)
            error = "have not been called: " + ("the application is not there" if gone else failure.error)
        return {"error": str(error)}

    deployment.answer(QUESTION, answer)
