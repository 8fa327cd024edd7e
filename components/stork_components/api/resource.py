"""``/api`` of one port: finds the key and the route of each request at its head, and answers when its body is there."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import defer
from twisted.logger import Logger

from stork_components.api import calling, commanding, deployment, presence, pushing, reading, why
from stork_crossbar.http.direct import DirectResource, Exchange, Handler
from stork_node.api.answers import JSON, ApiAnswer, ApiError, refusal
from stork_node.api.keys import ApiKey, Keyring
from stork_node.api.routes import ROUTES, Route, Target, find
from stork_node.http.heads import Head, Refusal, Refused

_ANSWERS: dict[str, Callable[..., None]] = {
    "push": pushing.push,
    "call": calling.call,
    "position": reading.position,
    "command": commanding.command,
    "outcome": commanding.outcome,
    "topics": deployment.topics,
    "topic": deployment.topic,
    "user": deployment.user,
    "nodes": deployment.nodes,
    "history": reading.history,
    "online": presence.online,
    "why": why.why,
    "busy": deployment.busy,
    "description": reading.description,
}
# The body of a refused request is read if it is short: then the connection can stay.
_SHORT_BYTES = 16 << 10
_NO_KEY = "send a key of this deployment: Authorization: Bearer KEY, or X-API-Key: KEY"
_log = Logger()
_CHALLENGE = (b"WWW-Authenticate", b"Bearer")


class ApiResource(DirectResource):
    """
    Args:
        find_api: returns the ``Api`` of this process; None if it has not started, or config.json has none.
        is_public: without keys there is nothing here.
    """

    max_body_bytes = max(route.max_body_bytes for route in ROUTES)

    def __init__(self, find_api: Callable[[], Any], *, is_public: bool = False) -> None:
        super().__init__()
        self._find_api, self._is_public = find_api, is_public

    def begin(self, head: Head) -> Handler:
        api = self._find_api()
        keyring = api.keyring if api is not None else None
        try:
            if api is None or (self._is_public and not api.keyring):
                raise ApiError("not_found", "there is nothing here")
            key = _key(api, head)
            target = find(head.method, head.target)
            _check_right(target.route, key)
            _check_body(target.route, head)
        except ApiError as error:
            return self._refuse(api, keyring, head, error.answer)
        return partial(self._answer, api, api.keyring, key, target, head)

    def _refuse(self, api: Any, keyring: Keyring | None, head: Head, answer: ApiAnswer) -> Handler:
        if head.body_bytes is None or head.body_bytes > _SHORT_BYTES:
            if api is not None:
                api.counters.requests[str(answer.status)] += 1
            raise Refused(Refusal(answer.status, "", "body", answer.body, answer.headers))
        return partial(self._answer_refusal, api, keyring, head, answer)

    def _answer_refusal(
        self, api: Any, keyring: Keyring | None, head: Head, answer: ApiAnswer, body: bytes, exchange: Exchange
    ) -> None:
        if api is not None and api.keyring is not keyring:  # the key may be one of the deployment by now
            self._begin_again(api, head, body, exchange)
        else:
            _reply(api, exchange, answer)

    def _answer(
        self,
        api: Any,
        keyring: Keyring,
        key: ApiKey,
        target: Target,
        head: Head,
        body: bytes,
        exchange: Exchange,
    ) -> None:
        if api.keyring is not keyring:  # the keys were replaced since an equal head was read
            self._begin_again(api, head, body, exchange)
            return
        request = Call(api, key, target, head, body, exchange)
        try:
            _ANSWERS[target.route.name](request)
        except ApiError as error:
            request.reply(error.answer)
        except Exception:
            request.reply(request.fail())

    def _begin_again(self, api: Any, head: Head, body: bytes, exchange: Exchange) -> None:
        try:
            self.begin(head)(body, exchange)
        except Refused as error:
            _reply(api, exchange, ApiAnswer(error.refusal.status, error.refusal.json, error.refusal.headers))


class Call:
    """One request with its body; ``reply`` answers it."""

    __slots__ = ("api", "body", "exchange", "head", "key", "target")

    def __init__(self, api: Any, key: ApiKey, target: Target, head: Head, body: bytes, exchange: Exchange) -> None:
        self.api, self.key, self.target = api, key, target
        self.head, self.body, self.exchange = head, body, exchange

    def reply(self, answer: ApiAnswer) -> None:
        _reply(self.api, self.exchange, answer)

    def reply_later(self, answer: "defer.Deferred[ApiAnswer]") -> None:
        answer.addErrback(self.fail)
        answer.addCallback(self.reply)

    def fail(self, failure: Any = None) -> ApiAnswer:
        """Log an error of this code, and tell the client that there is one."""
        _log.failure("a request of the HTTP API failed: {name}", failure, name=self.target.route.name)
        return refusal("failed", "this node could not answer", status=500)


def _reply(api: Any, exchange: Exchange, answer: ApiAnswer) -> None:
    if api is not None:
        api.counters.requests[str(answer.status)] += 1
    exchange.reply(answer.status, answer.body, answer.headers)


def _key(api: Any, head: Head) -> ApiKey:
    given = head.value(b"authorization")
    scheme, _, token = given.partition(b" ")
    presented = token.strip() if scheme.lower() == b"bearer" else head.value(b"x-api-key")
    key: ApiKey | None = api.keyring.find(presented) if presented else None
    if key is None:
        raise ApiError("unauthorized", _NO_KEY, _CHALLENGE)
    return key


def _check_right(route: Route, key: ApiKey) -> None:
    if route.right and route.right not in key.rights:
        raise ApiError("forbidden", f"this key has not the right {route.right}")


def _check_body(route: Route, head: Head) -> None:
    most = route.max_body_bytes
    if not most and not head.has_body:
        return
    if head.body_bytes is None:
        raise ApiError("length_required", "a body needs its Content-Length here")
    if head.body_bytes > most:
        raise ApiError("too_large", f"a body has at most {most:,} bytes here")
    if head.value(b"content-type").partition(b";")[0].strip().lower() != JSON:
        raise ApiError("unsupported_media_type", "the body is JSON: Content-Type: application/json")
