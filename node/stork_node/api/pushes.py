"""``POST /api/push``: one push document, or an array of them, becomes frames for the publish server."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import msgspec
from msgspec import Raw

from stork_node.api.answers import STATUS, ApiAnswer, ApiError, answer_with, as_json, error_body
from stork_node.api.keys import ApiKey
from stork_node.clients.pending_pushes import PendingPush, StoredPosition
from stork_node.clients.publisher import POSITION_REQUEST
from stork_node.errors import InvalidPush, PushRefused
from stork_node.protocol.answers import encode_stored
from stork_node.protocol.commands.documents import RECEIPT_TIMEOUT_MS
from stork_node.protocol.push import MAX_ID_CHARACTERS, MAX_PUSH_BYTES, read_outline

MAX_DOCUMENTS = 1_000
MAX_BODY_BYTES = 16 << 20

_WHITE_SPACE = b" \t\r\n"
_FORBIDDEN = "this key may not push to all of these topics"
_decode_array = msgspec.json.Decoder(list[Raw]).decode
_to_json = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode


class ApiPush(PendingPush):
    """
    One push of a request. Each has an id, so that it can be sent again.

    ``answer`` is that of the publish server, or of this node; None while there is none. ``done`` is called once when
    there is one.
    """

    __slots__ = ("answer", "done", "error", "shown_id")

    def __init__(self, id: str | None, shown_id: str | None, frame: bytes, wait_ms: int = 0) -> None:
        super().__init__(id, frame, wait_ms)
        self.shown_id = shown_id
        self.answer: bytes | None = None
        self.error = ""
        self.done: Callable[[], None] | None = None

    def refuse(self, error: str, reason: str) -> None:
        self.error = error
        self.settle(error_body(error, reason))

    def take_outcome(self) -> None:
        """The publish server has answered: ``outcome`` is set."""
        outcome = self.outcome
        if isinstance(outcome, StoredPosition):
            self.settle(
                encode_stored(
                    self.shown_id,
                    outcome,
                    duplicate=outcome.duplicate,
                    receipt=outcome.receipt,
                    warning=outcome.warning,
                )
            )
        elif isinstance(outcome, PushRefused):
            self.refuse(outcome.error, outcome.reason)

    def settle(self, answer: bytes) -> None:
        self.answer = answer
        done, self.done = self.done, None  # or both would wait for the garbage collector
        if done is not None:
            done()


class PositionQuestion(ApiPush):
    """Asks for the position of the last stored push."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, POSITION_REQUEST)

    def take_outcome(self) -> None:
        if isinstance(self.outcome, StoredPosition):
            self.settle(as_json({"position": self.outcome}))
        else:
            super().take_outcome()


class Ids:
    """Ids for pushes without one; no two nodes make the same."""

    def __init__(self) -> None:
        self._prefix, self._numbers = secrets.token_hex(8), count(1)

    def next(self) -> str:
        return f"http-{self._prefix}-{next(self._numbers)}"


class PushRequest:
    """
    The pushes of one request, in order; some may be refused already.

    ``answer`` is made when each push has its own.
    """

    def __init__(self, pushes: Sequence[ApiPush], *, is_array: bool) -> None:
        self.pushes, self._is_array = pushes, is_array

    @property
    def waits_for_nodes(self) -> bool:
        """Whether a push of it has a receipt."""
        return any(push.wait_ms for push in self.pushes)

    def open(self) -> Iterator[ApiPush]:
        """The pushes that the publish server has to answer."""
        return (push for push in self.pushes if push.answer is None)

    def answer(self) -> tuple[str, bytes]:
        """The name of the error, or empty, and the body."""
        if not self._is_array:
            [push] = self.pushes
            return push.error, push.answer or b""
        is_ok = b"false" if any(push.error for push in self.pushes) else b"true"
        answers = b",".join(push.answer or b"" for push in self.pushes)
        return "", b'{"ok":%b,"answers":[%b]}' % (is_ok, answers)


def read_pushes(body: bytes, header_id: bytes | None, key: ApiKey, ids: Ids) -> PushRequest:
    """
    Read the body of a request.

    Args:
        header_id: the value of Idempotency-Key.

    Raises:
        ApiError: the whole request is refused.
    """
    document = body.lstrip(_WHITE_SPACE)
    if document[:1] != b"[":
        return PushRequest([_read_one(document, header_id, key, ids)], is_array=False)
    if header_id is not None:
        raise ApiError("invalid_push", "id: an array takes no Idempotency-Key, each document has its own id")
    documents = _split(document)
    if len(documents) > MAX_DOCUMENTS:
        raise ApiError("too_large", f"{len(documents):,} documents, at most {MAX_DOCUMENTS:,} are taken at once")
    return PushRequest([_read_of_many(bytes(each), key, ids) for each in documents], is_array=True)


def _split(document: bytes) -> list[Raw]:
    try:
        if not document.isascii():
            document.decode()
        return _decode_array(document)
    except UnicodeDecodeError as error:
        raise ApiError("invalid_json", f"the body is not UTF-8, at byte {error.start}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _not_json(error) from None


def _read_one(document: bytes, header_id: bytes | None, key: ApiKey, ids: Ids) -> ApiPush:
    try:
        push = _read(document, header_id, key, ids)
    except InvalidPush as error:
        check_json(document)
        raise ApiError("invalid_push", error.reason) from None
    if push.error:
        raise ApiError("forbidden", _FORBIDDEN)
    return push


def check_json(document: bytes) -> None:
    """
    Raises:
        ApiError: it is not JSON at all.
    """
    try:
        document.decode()
        _decode_any(document)
    except UnicodeDecodeError as error:
        raise ApiError("invalid_json", f"the body is not UTF-8, at byte {error.start}") from None
    except msgspec.DecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        pass  # it is JSON up to there


def _not_json(error: Exception) -> ApiError:
    return ApiError("invalid_json", f"the body is not JSON: {str(error).removeprefix('JSON is malformed: ')}")


def _read_of_many(document: bytes, key: ApiKey, ids: Ids) -> ApiPush:
    try:
        return _read(document, None, key, ids)
    except InvalidPush as error:
        push = ApiPush("", None, b"")
        push.refuse("invalid_push", error.reason)
        return push


def _read(document: bytes, header_id: bytes | None, key: ApiKey, ids: Ids) -> ApiPush:
    outline = read_outline(document)
    given = outline.id if header_id is None else read_header_id(header_id, outline.id)
    id = ids.next() if given is None else given
    frame = document
    if outline.id is None:
        frame = b'{"id":%b,%b' % (_to_json(id), document[1:])
        if len(frame) > MAX_PUSH_BYTES:
            raise InvalidPush(f"frame: {len(frame):,} bytes with its id, at most {MAX_PUSH_BYTES:,} are allowed")
    push = ApiPush(id, given, frame, RECEIPT_TIMEOUT_MS if outline.receipt else 0)
    if not key.allows(outline.topics):
        push.refuse("forbidden", _FORBIDDEN)
    return push


def read_header_id(header: bytes, in_body: str | None) -> str:
    """
    The id of a document: the value of Idempotency-Key.

    Raises:
        InvalidPush: it is none, or another one than the id in the body.
    """
    try:
        id = header.decode()
    except UnicodeDecodeError:
        raise InvalidPush("id: the Idempotency-Key is not UTF-8") from None
    if not 1 <= len(id) <= MAX_ID_CHARACTERS:
        raise InvalidPush(f"id: the Idempotency-Key has {len(id):,} characters, 1 to {MAX_ID_CHARACTERS} are allowed")
    if in_body not in (None, id):
        raise InvalidPush("id: the Idempotency-Key is another one than the id of the document")
    return id


def answer_of(request: PushRequest) -> ApiAnswer:
    """The answer to a request whose pushes all have theirs."""
    error, body = request.answer()
    return answer_with(STATUS.get(error, 503) if error else 200, body)
