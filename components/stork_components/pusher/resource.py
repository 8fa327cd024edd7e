"""``/apps``: checks the signature of each request by its head, and answers when its body is there."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.logger import Logger

from stork_components.pusher import answering
from stork_crossbar.http.direct import DirectResource, Exchange, Handler
from stork_node import clock
from stork_node.api.answers import answer_with
from stork_node.http.heads import Head, Refusal, Refused
from stork_node.pusher.errors import HttpRefusal
from stork_node.pusher.http.answers import refusal
from stork_node.pusher.http.requests import MAX_BODY_BYTES, PusherRequest, read_request

# The body of a refused request is read if it is short: then the connection can stay.
_SHORT_BYTES = 16 << 10
_log = Logger()


class PusherHttp(DirectResource):
    """
    Args:
        find_pusher: returns the ``Pusher`` of this process; None if config.json has none.
    """

    # Each request has a time, and is signed.
    keeps_heads = False
    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, find_pusher: Callable[[], Any]) -> None:
        super().__init__()
        self._find_pusher = find_pusher

    def begin(self, head: Head) -> Handler:
        pusher = self._find_pusher()
        try:
            if pusher is None:
                raise HttpRefusal(404, "there is no app with this id")
            request = read_request(pusher.apps, head.method, head.target.decode("latin-1"), clock.wall())
            if head.has_body and head.body_bytes is None:
                raise HttpRefusal(411, "a body needs its Content-Length here")
            if (head.body_bytes or 0) > MAX_BODY_BYTES:
                raise HttpRefusal(413, f"a body has at most {MAX_BODY_BYTES:,} bytes here")
        except HttpRefusal as error:
            return _refuse(pusher, head, error)
        return partial(_answer, pusher, request, head)


def _refuse(pusher: Any, head: Head, error: HttpRefusal) -> Handler:
    body = refusal(error)
    if (head.has_body and head.body_bytes is None) or (head.body_bytes or 0) > _SHORT_BYTES:
        if pusher is not None:
            pusher.counters.requests[str(error.status)] += 1
        raise Refused(Refusal(error.status, "", "body", body))
    return lambda _body, exchange: reply(pusher, exchange, error.status, body)


def _answer(pusher: Any, request: PusherRequest, head: Head, body: bytes, exchange: Exchange) -> None:
    done = partial(reply, pusher, exchange)
    try:
        request.check_body(body)
        answering.answer(pusher, request, head, body, done)
    except HttpRefusal as error:
        done(error.status, refusal(error))
    except Exception:
        _log.failure("a request of Pusher's HTTP API failed: {name}", name=request.route)
        done(500, refusal(HttpRefusal(500, "this node could not answer")))


def reply(pusher: Any, exchange: Exchange, status: int, body: bytes) -> None:
    if pusher is not None:
        pusher.counters.requests[str(status)] += 1
    answer = answer_with(status, body)
    exchange.reply(answer.status, answer.body, answer.headers)
