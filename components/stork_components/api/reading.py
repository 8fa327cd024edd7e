"""The requests that only read: positions, histories and the description."""

from typing import Any

from twisted.internet import defer

from stork_node.api.answers import ApiAnswer, ApiError
from stork_node.api.openapi import DESCRIPTION
from stork_node.api.pushes import PositionQuestion, PushRequest, answer_of
from stork_node.api.queries import Query
from stork_node.errors import CallError, InvalidPosition
from stork_node.protocol.positions import Position

_FOREIGN = "this key may not read this topic"


def position(call: Any) -> None:
    """The position of the last stored push, as the publish server says."""
    Query(call.target.query, ())
    question = PositionQuestion()
    question.done = lambda: call.reply(answer_of(PushRequest([question], is_array=False)))
    call.api.link.send([question])


def history(call: Any) -> None:
    """What this node keeps of a topic after a position."""
    query = Query(call.target.query, ("since", "limit"))
    limit, since = query.limit(), _position(query.text("since"))
    if call.api.relay is None:
        raise ApiError("not_ready", "this node has no relay")
    asked = defer.ensureDeferred(call.api.relay.reading.history(allowed_topic(call), since, limit))
    call.reply_later(asked.addCallbacks(lambda page: ApiAnswer(200, page), _not_ready))


def description(call: Any) -> None:
    """The OpenAPI document of this API."""
    Query(call.target.query, ())
    call.reply(ApiAnswer(200, DESCRIPTION))


def allowed_topic(call: Any) -> str:
    """
    The topic of the request's path.

    Raises:
        ApiError: the key may not read it.
    """
    name: str = call.target.names["topic"]
    if not call.key.allows([name]):
        raise ApiError("forbidden", _FOREIGN)
    return name


def _position(text: str | None) -> Position | None:
    try:
        return None if text is None else Position.parse(text)
    except InvalidPosition:
        return None  # as recover does: a position that no node gave


def _not_ready(failure: Any) -> ApiAnswer:
    failure.trap(CallError)
    return ApiError("not_ready", failure.value.message).answer
