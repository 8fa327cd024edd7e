"""``GET /api/topics/{topic}/online``."""

from typing import Any

from twisted.internet import defer

from stork_components.api.reading import allowed_topic
from stork_components.presence.online import ask
from stork_node.api.answers import ApiAnswer, ApiError, as_json
from stork_node.api.queries import Query


def online(call: Any) -> None:
    """Who is online in a topic, as this node knows it, or another one."""
    query = Query(call.target.query, ("node", "wait_for", "users"))
    asked = defer.ensureDeferred(ask(query, allowed_topic(call)))
    call.reply_later(asked.addCallbacks(lambda said: ApiAnswer(200, as_json(said)), _refused))


def _refused(failure: Any) -> ApiAnswer:
    failure.trap(ApiError)
    answer: ApiAnswer = failure.value.answer
    return answer
