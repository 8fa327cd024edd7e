"""``POST /api/call``: a procedure of the deployment, as a backend calls it."""

from typing import Any

import msgspec
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallResult
from twisted.internet import defer, reactor

from stork_node.api.answers import ApiAnswer, ApiError, refusal
from stork_node.errors import InvalidTopic
from stork_node.protocol.push_refusals import shorten
from stork_node.protocol.uris import check_uri

_TIMEOUT = "io.virge.stork.timeout"
# autobahn takes these for its own.
_NOT_PASSED = ("options", "procedure", "self")


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    procedure: str
    args: list[Any] = []
    kwargs: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Body).decode


def call(request: Any) -> None:
    """
    Call the procedure, and answer with its result.

    Raises:
        ApiError: the body is none.
    """
    body = _read(request.body)
    try:
        called: defer.Deferred[Any] = request.api.call(body.procedure, *body.args, **body.kwargs)
    except Exception as error:  # autobahn: a URI or a value that WAMP has not
        raise ApiError("invalid_request", f"this cannot be called: {error}") from None
    called.addTimeout(request.api.settings.call_timeout_s, reactor, _time_out)
    called.addCallbacks(_result, _failed)
    request.reply_later(called.addErrback(_unwritable))


def _read(data: bytes) -> _Body:
    try:
        data.decode()
        body = _decode(data)
    except msgspec.ValidationError as error:
        raise ApiError("invalid_request", f'want {{"procedure", "args", "kwargs"}}: {error}') from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("invalid_json", f"the body is not JSON: {error}") from None
    try:
        check_uri(body.procedure, "exact")
    except InvalidTopic:
        raise ApiError("invalid_request", f"procedure: {shorten(body.procedure)} is not a URI") from None
    if used := [name for name in _NOT_PASSED if name in body.kwargs]:
        raise ApiError("invalid_request", f"kwargs cannot have the name {used[0]}")
    return body


def _time_out(_result: Any, seconds: float) -> Any:
    raise ApplicationError(_TIMEOUT, f"no answer within {seconds:g} s")


def _result(result: Any) -> ApiAnswer:
    if isinstance(result, CallResult):
        result = {"args": result.results or [], "kwargs": result.kwresults or {}}
    return ApiAnswer(200, msgspec.json.encode(result))


def _failed(failure: Any) -> ApiAnswer:
    error = failure.value
    if isinstance(error, ApplicationError):
        return refusal(error.error, error.error_message(), status=502)
    return refusal("wamp.error.canceled", "the call has ended without an answer", status=502)


def _unwritable(_failure: Any) -> ApiAnswer:
    return refusal("wamp.error.invalid_payload", "the result is not JSON", status=502)
