"""``GET /api/why``: what became of an event for a user."""

from typing import Any

import msgspec
from twisted.internet import defer

from stork_components.questions.deployment import Deployment
from stork_node.api.answers import ApiAnswer, ApiError, as_json
from stork_node.api.queries import Query
from stork_node.errors import InvalidPosition
from stork_node.process_state import singleton
from stork_node.protocol.positions import Position
from stork_node.why.merging import Report, WhyQuestion, merge

_MOST_CHARACTERS = 1_024


def why(call: Any) -> None:
    """
    Ask all nodes, and answer with the causes.

    Raises:
        ApiError: the query is wrong, or the key is for some topics: the answer tells of users.
    """
    query = Query(call.target.query, ("topic", "user", "position"))
    topic, user, position = (query.text(name) for name in ("topic", "user", "position"))
    if not topic or not user or len(topic) > _MOST_CHARACTERS or len(user) > _MOST_CHARACTERS:
        raise ApiError("invalid_request", "want ?topic=…&user=…, and position= if you know it")
    if call.key.topics:
        raise ApiError("forbidden", "a key of some topics may not read of users")
    if call.api.relay is None:
        raise ApiError("not_ready", "this node has no relay")
    if position is None:
        position = next((at for _, at in call.api.relay.reading.newest_first(topic)), None)
    else:
        try:
            Position.parse(position)
        except InvalidPosition as error:
            raise ApiError("invalid_request", str(error)) from None
    asked = WhyQuestion(topic, user, position)
    call.reply_later(defer.ensureDeferred(_answer(asked)))


async def _answer(asked: WhyQuestion) -> ApiAnswer:
    answers = await singleton(Deployment).ask("why", msgspec.to_builtins(asked))
    reports = {node: msgspec.convert(report, Report) for node, report in answers.by_node.items()}
    return ApiAnswer(200, as_json(merge(asked, reports, answers.missing)))
