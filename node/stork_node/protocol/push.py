"""
Push documents: the bytes of one frame become a ``Push``, or are refused with the reason; and how a pusher writes them.

What is accepted goes to browsers as it is, so nothing may pass that makes a browser, or the WAMP library in one, drop
the connection. Every rule of docs/delivery.md#push-document is checked here; ``push_limits`` has those beyond JSON.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from stork_node.errors import InvalidPush, InvalidTopic
from stork_node.protocol import push_limits
from stork_node.protocol.commands.documents import (
    CommandRequest,
    OutcomeRequest,
    decode_command,
    decode_outcome,
    is_command,
)
from stork_node.protocol.push_limits import DEFAULT_DEPTH, MAX_DEPTH
from stork_node.protocol.push_refusals import explain_refusal, shorten, too_deep
from stork_node.protocol.timestamps import is_timestamp
from stork_node.protocol.topics import Topic

MAX_PUSH_BYTES = 1 << 20
MAX_TOPICS = 1000
MAX_DELIVERED_BYTES = 64 << 20
"""Of data, times topics: what one push makes for a client whose pattern covers all of its topics."""
MAX_TYPE_CHARACTERS = 255
MAX_ID_CHARACTERS = 128


class Push(Struct, frozen=True, gc=False):
    """
    One push that keeps every rule.

    Attributes:
        topics: URIs, 1 to 1,000, in the order given, once each.
        type: 1 to 255 characters.
        data: JSON, the bytes that came.
        timestamp: RFC 3339, as given, or the time of arrival.
        id: idempotency key, 1 to 128 characters; None if the pusher gave none.
        exclude: WAMP session ids that do not get it.
        store: False for what neither log nor history keeps.
        receipt: whether each node is to report what it has written of it.
    """

    topics: tuple[str, ...]
    type: str
    data: bytes
    timestamp: str
    id: str | None = None
    exclude: tuple[int, ...] = ()
    store: bool = True
    receipt: bool = False


class PositionRequest(Struct, frozen=True):
    """``{"position": true}``: a peer asks for the tail."""


class _Document(Struct, forbid_unknown_fields=True, gc=False):
    topics: Annotated[list[str], Meta(min_length=1)]
    type: Annotated[str, Meta(min_length=1, max_length=MAX_TYPE_CHARACTERS)]
    data: Raw = Raw(b"null")
    timestamp: str | UnsetType = UNSET
    # An empty id would make all such pushes duplicates of the first.
    id: Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)] | UnsetType = UNSET
    exclude: tuple[Annotated[int, Meta(ge=1, le=2**53)], ...] = ()
    store: bool = True
    receipt: bool = False


class PushOutline(Struct, frozen=True, gc=False):
    """A push document whose data, timestamp and topics are not checked yet: ``topics`` are as given."""

    id: str | None
    topics: list[str]
    receipt: bool


class _PositionDocument(Struct, forbid_unknown_fields=True):
    position: bool


class _OnlyId(Struct):
    id: Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)]


_decode_document = msgspec.json.Decoder(_Document).decode
_decode_position = msgspec.json.Decoder(_PositionDocument).decode
_decode_only_id = msgspec.json.Decoder(_OnlyId).decode
_decode_any = msgspec.json.Decoder().decode
# msgspec would write NaN as null.
_to_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=msgspec.to_builtins
).encode
_parse_topic = lru_cache(10_000)(Topic.parse)  # most pushes are to topics that were pushed to before


def decode_request(
    frame: bytes, now: str, depth: int = DEFAULT_DEPTH
) -> Push | PositionRequest | CommandRequest | OutcomeRequest:
    """
    Decode what a peer of the ROUTER sends: ``{"position": true}``, a command document (see ``decode_command``), a
    request for its outcome, or a push document (see ``decode_push``).
    """
    try:
        return decode_push(frame, now, depth)
    except InvalidPush as error:  # no push has a key of the others
        refusal = error
    if is_command(frame):
        return decode_command(frame)
    if asked := decode_outcome(frame):
        return asked
    if _is_position_request(frame):
        return PositionRequest()
    raise refusal


def _is_position_request(frame: bytes) -> bool:
    try:
        return len(frame) <= 256 and _decode_position(frame).position
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def decode_push(frame: bytes, now: str, depth: int = DEFAULT_DEPTH) -> Push:
    """
    Decode one push document.

    Args:
        frame: UTF-8 JSON, at most ``MAX_PUSH_BYTES`` (1 MiB); see docs/delivery.md#push-document.
        now: RFC 3339 time of arrival, the timestamp of a push that has none.
        depth: how many levels of arrays and objects ``data`` may have.

    Raises:
        InvalidPush: ``reason`` is "field: what is wrong"; the field is ``frame`` for the document as a whole.
    """
    _check_size(frame)
    document = _read_document(frame, depth)
    data = _check_data(document.data, depth)
    if push_limits.may_have_nul_string(frame) and push_limits.has_nul_string(frame):
        raise InvalidPush("frame: a string begins with U+0000, which WAMP's JSON reads as binary")
    timestamp = document.timestamp
    if timestamp is UNSET:
        timestamp = now
    elif not is_timestamp(timestamp):
        raise InvalidPush(f"timestamp: {shorten(timestamp)} is not RFC 3339 (want 2026-01-31T12:00:00.000Z)")
    topics = _check_topics(document.topics)
    _check_delivered(len(topics), len(data))
    return Push(
        topics,
        document.type,
        data,
        timestamp,
        None if document.id is UNSET else document.id,
        document.exclude,
        document.store,
        document.receipt,
    )


def read_outline(frame: bytes) -> PushOutline:
    """
    Read a push document that the publish server will check: it has the keys of one, and its id can be read.

    Raises:
        InvalidPush: as ``decode_push``.
    """
    _check_size(frame)
    document = _read_document(frame, MAX_DEPTH)
    return PushOutline(None if document.id is UNSET else document.id, document.topics, document.receipt)


def is_data(text: bytes, depth: int = DEFAULT_DEPTH) -> bool:
    """Whether a push may have these bytes as its ``data``."""
    try:
        text.decode()
        _check_data(Raw(text), depth)
    except (InvalidPush, UnicodeDecodeError):
        return False
    return not (push_limits.may_have_nul_string(text) and push_limits.has_nul_string(text))


def _check_size(frame: bytes) -> None:
    if len(frame) > MAX_PUSH_BYTES:
        raise InvalidPush(f"frame: {len(frame):,} bytes, at most {MAX_PUSH_BYTES:,} are allowed")


def _read_document(frame: bytes, depth: int) -> _Document:
    try:
        # msgspec passes over invalid UTF-8 in Raw. Any encoding of a lone surrogate is invalid UTF-8, too.
        if not frame.isascii():
            frame.decode()
        return _decode_document(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPush(explain_refusal(frame, error, depth)) from None


def _check_data(raw: Raw, depth: int) -> bytes:
    data = bytes(raw)
    try:
        # Raw is passed over without a look at numbers. This finds one also where a repeated key hides it.
        _decode_any(data)
    except msgspec.DecodeError:
        raise InvalidPush("data: a number is beyond the finite doubles") from None
    except RecursionError:
        raise InvalidPush(too_deep(depth)) from None
    if push_limits.may_be_too_deep(data, depth) and push_limits.is_too_deep(data, depth):
        raise InvalidPush(too_deep(depth))
    if push_limits.may_have_wide_integer(data) and push_limits.has_wide_integer(data):
        raise InvalidPush("data: an integer is not within -2^63 to 2^64-1")
    return data


def _check_topics(uris: list[str]) -> tuple[str, ...]:
    topics = tuple(uris) if len(uris) == 1 else tuple(dict.fromkeys(uris))
    if len(topics) > MAX_TOPICS:
        raise InvalidPush(f"topics: {len(topics):,} topics, at most {MAX_TOPICS:,} are allowed")
    for i, uri in enumerate(uris):
        try:
            _parse_topic(uri)
        except InvalidTopic as error:
            raise InvalidPush(f"topics[{i}]: {shorten(uri)} is not a topic: {error.reason}") from None
    return topics


def _check_delivered(topics: int, data_bytes: int) -> None:
    if topics * data_bytes > MAX_DELIVERED_BYTES:
        raise InvalidPush(
            f"topics: {topics:,} times {data_bytes:,} bytes of data, at most {MAX_DELIVERED_BYTES:,} bytes are allowed"
        )


def encode_push(
    topics: str | Iterable[str],
    type: str,
    data: Any = None,
    *,
    id: str | None = None,
    exclude: Iterable[int] = (),
    store: bool = True,
    receipt: bool = False,
    timestamp: str | datetime | None = None,
) -> bytes:
    """
    Write one push document.

    Args:
        topics: URIs, or one URI.
        data: anything that has a JSON form: also dataclasses, datetimes, UUIDs, enums and what else msgspec knows, and
            ``msgspec.Raw`` for JSON that is text already.
        timestamp: RFC 3339, or a datetime with a time zone; the publish server's time of arrival if None.

    Raises:
        InvalidPush: every publish server would refuse it; for the same reason, found here.
    """
    document: dict[str, Any] = {"topics": [topics] if isinstance(topics, str) else list(topics), "type": type}
    if id is not None:
        document["id"] = id
    if timestamp is not None:
        document["timestamp"] = timestamp.isoformat() if isinstance(timestamp, datetime) else timestamp
    if excluded := list(exclude):
        document["exclude"] = excluded
    if store is not True:
        document["store"] = store
    if receipt is not False:
        document["receipt"] = receipt
    frame = b'%b,"data":%b}' % (_encode_json(document, "frame")[:-1], _encode_json(data, "data"))
    decode_push(frame, "", MAX_DEPTH)  # a publish server may be set to take as much
    return frame


def _encode_json(value: Any, field: str) -> bytes:
    if isinstance(value, Raw):
        try:
            _decode_any(value)  # alone: with what follows it, something else might be JSON
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidPush(f"{field}: not JSON, or beyond its limits") from None
        return bytes(value)
    try:
        return _to_json(value).encode()
    except RecursionError:
        raise InvalidPush(too_deep(MAX_DEPTH)) from None
    except UnicodeEncodeError:
        raise InvalidPush(f"{field}: a string holds a lone surrogate") from None
    except (TypeError, ValueError) as error:  # no JSON form; NaN or infinite; contains itself
        raise InvalidPush(f"{field}: {error}") from None


def readable_id(frame: bytes) -> str | None:
    """The id of a refused document, for the answer to it; None where there is none that can be read."""
    try:
        return _decode_only_id(frame).id if len(frame) <= MAX_PUSH_BYTES else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
