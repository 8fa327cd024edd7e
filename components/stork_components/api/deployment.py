"""The requests that all nodes answer together: topics, users, and the nodes themselves."""

from collections.abc import Coroutine
from typing import Any

import msgspec
from twisted.internet import defer

from stork_components.api.reading import allowed_topic
from stork_components.questions.busy import merge_busy
from stork_components.questions.deployment import WAIT_S, Deployment
from stork_node.api.answers import ApiAnswer, ApiError, as_json
from stork_node.api.merging import TopicsPage, list_nodes, merge_topics, merge_user
from stork_node.api.queries import Query
from stork_node.nodes.answers import Answers
from stork_node.process_state import singleton


def topics(call: Any) -> None:
    """The topics that sessions are subscribed to, in order, in pages."""
    query = Query(call.target.query, ("prefix", "limit", "cursor"))
    limit = query.limit()
    patterns = [each.text for each in call.key.topics]
    asked = {"limit": limit, "prefix": query.text("prefix") or "", "after": query.text("cursor"), "patterns": patterns}

    async def answer() -> dict[str, Any]:
        answers = await _ask("topics", asked)
        pages = (msgspec.convert(page, TopicsPage) for page in answers.by_node.values())
        return merge_topics(pages, limit) | {"missing": answers.missing}

    _reply(call, answer())


def topic(call: Any) -> None:
    """How many sessions of each node get the events of a topic."""
    Query(call.target.query, ())
    name = allowed_topic(call)

    async def answer() -> dict[str, Any]:
        answers = await _ask("topic", {"topic": name})
        return {"topic": name, "sessions": answers.by_node, "missing": answers.missing}

    _reply(call, answer())


def busy(call: Any) -> None:
    """The busiest topics and the slow readers; a key of some topics may not see them."""
    Query(call.target.query, ())
    if call.key.topics:
        raise ApiError("forbidden", "a key of some topics may not read of users")

    async def answer() -> dict[str, Any]:
        answers = await _ask("busy", {})
        return merge_busy(answers.by_node) | {"missing": answers.missing}

    _reply(call, answer())


def user(call: Any) -> None:
    """The sessions of a user; a key of some topics may not see them."""
    Query(call.target.query, ())
    if call.key.topics:
        raise ApiError("forbidden", "a key of some topics may not read of users")
    authid: str = call.target.names["authid"]

    async def answer() -> dict[str, Any]:
        answers = await _ask("user", {"authid": authid})
        return merge_user(authid, answers.by_node) | {"missing": answers.missing}

    _reply(call, answer())


def nodes(call: Any) -> None:
    """The nodes, as the publish server knows them."""
    Query(call.target.query, ())
    if call.api.relay is None:
        raise ApiError("not_ready", "this node has no relay")

    async def answer() -> dict[str, Any]:
        try:
            table = await call.api.relay.ask_nodes(WAIT_S)
        except defer.TimeoutError:
            raise ApiError("not_ready", "the publish server does not say which nodes there are") from None
        if table is None:
            raise ApiError("not_ready", "the publish server is away, or of a release that knows no nodes")
        return list_nodes(table)

    _reply(call, answer())


async def _ask(question: str, params: dict[str, Any]) -> Answers:
    deployment = singleton(Deployment)
    if not deployment.knows(question):
        raise ApiError("not_ready", "this node has no relay")
    try:
        return await deployment.ask(question, params)
    except ValueError as error:
        raise ApiError("invalid_request", str(error)) from None


def _reply(call: Any, answer: Coroutine[Any, Any, dict[str, Any]]) -> None:
    asked = defer.ensureDeferred(answer)
    call.reply_later(asked.addCallbacks(lambda said: ApiAnswer(200, as_json(said)), _refused))


def _refused(failure: Any) -> ApiAnswer:
    failure.trap(ApiError)
    answer: ApiAnswer = failure.value.answer
    return answer
