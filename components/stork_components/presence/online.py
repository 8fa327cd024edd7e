"""Who is online, for operators: ``GET /api/topics/{topic}/online``, at this node or at another one."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from stork_components.presence.answering import check_topic
from stork_components.questions.deployment import Deployment
from stork_node.api.answers import ApiError
from stork_node.api.queries import Query
from stork_node.errors import CallError, InvalidPosition
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.commands.questions import MAX_CONTENT_BYTES
from stork_node.protocol.positions import Position

_LONGEST_WAIT_S = 10.0  # longer than a node waits for the position
Online = Callable[[str, bool, Position | None], Awaitable[dict[str, Any]]]


class OnlineQuestion(msgspec.Struct, frozen=True):
    """``wait_for``: the position that the node has to reach first."""

    topic: str
    users: bool = True
    wait_for: str | None = None


def answer_in(deployment: Deployment, online: Online) -> None:
    """Have this node answer the question ``online``: with the answer, or with the URI and the text of an error."""

    async def answer(params: Any) -> dict[str, Any]:
        asked = msgspec.convert(params, OnlineQuestion)
        try:
            found = await online(asked.topic, asked.users, Position.parse(asked.wait_for) if asked.wait_for else None)
        except CallError as error:
            return {"error": error.uri, "reason": error.message}
        if len(msgspec.json.encode(found)) > MAX_CONTENT_BYTES:
            found.pop("users", None)
        return found

    deployment.answer("online", answer)


async def ask(query: Query, topic: str) -> dict[str, Any]:
    """
    Answer a request.

    Raises:
        ApiError: the query is wrong, or the node cannot say it.
    """
    node, users, wait_for = query.text("node") or "", query.text("users") or "true", query.text("wait_for")
    if users not in ("true", "false"):
        raise ApiError("invalid_request", "users is true or false")
    try:
        if wait_for is not None:
            Position.parse(wait_for)
        check_topic(topic)
    except InvalidPosition as error:
        raise ApiError("invalid_request", str(error)) from None
    except CallError as error:
        raise _refusal(error.uri, error.message) from None
    deployment = singleton(Deployment)
    if not deployment.knows("online"):
        raise ApiError("not_ready", "this node has no relay")
    asked = msgspec.to_builtins(OnlineQuestion(topic, users == "true", wait_for))
    answers = await deployment.ask("online", asked, node=node or deployment.label, wait_s=_LONGEST_WAIT_S)
    for found in answers.by_node.values():
        answer: dict[str, Any] = found
        if "error" in answer:
            raise _refusal(answer["error"], answer["reason"])
        return answer
    raise ApiError("not_ready", f"the node {node} does not answer" if node else "this node does not answer")


def _refusal(uri: str, reason: str) -> ApiError:
    if uri == uris.NOT_READY:
        return ApiError("not_ready", reason)
    return ApiError("not_found" if uri == uris.NO_PRESENCE else "invalid_request", reason)
