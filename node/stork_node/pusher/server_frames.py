"""The frames that a Pusher client gets, as JSON. Their ``data`` is JSON in a string, as at Pusher."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from stork_node.errors import UnwritableEvent
from stork_node.protocol.bus import stamped_at
from stork_node.pusher.data import CLIENT_EVENT, split_member, to_client

_encode = msgspec.json.Encoder().encode

PING = b'{"event":"pusher:ping","data":"{}"}'
PONG = b'{"event":"pusher:pong","data":"{}"}'

_RESERVED = ("pusher:", "pusher_internal:")


def is_reserved(event: str) -> bool:
    """Whether an event's name belongs to the protocol, so that no backend may use it."""
    return event.startswith(_RESERVED)


def connection_established(socket_id: str, activity_timeout_s: int) -> bytes:
    told = {"socket_id": socket_id, "activity_timeout": activity_timeout_s}
    return _encode({"event": "pusher:connection_established", "data": _text(told)})


def error(code: int | None, message: str) -> bytes:
    return _encode({"event": "pusher:error", "data": {"code": code, "message": message}})


def subscription_succeeded(channel: str, *, has_more: bool = False, **told: Any) -> bytes:
    """``has_more``: the events that the client has missed follow."""
    more = {"more": True} if has_more else {}
    return _encode({"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": _text(told), **more})


def subscription_error(channel: str, kind: str, reason: str, status: int) -> bytes:
    told = {"type": kind, "error": reason, "status": status}
    return _encode({"event": "pusher:subscription_error", "channel": channel, "data": _text(told)})


def cache_miss(channel: str) -> bytes:
    return _encode({"event": "pusher:cache_miss", "channel": channel})


def signin_success(user_data: str) -> bytes:
    return _encode({"event": "pusher:signin_success", "data": _text({"user_data": user_data})})


def encode_frame(event: str, data: Any) -> bytes:
    """A frame of the protocol that belongs to no channel."""
    return _encode({"event": event, "data": _text(data)})


def _text(value: Any) -> str:
    return _encode(value).decode()


class _Event(Struct, gc=False):
    type: str
    data: Raw


_decode_event = msgspec.json.Decoder(_Event).decode


def event_body(event: bytes, position: str) -> bytes:
    """
    What the frames of one push have in common: all members but ``channel``, without the outer braces.

    Args:
        event: the JSON object that WAMP clients get: type, data and timestamp.

    Returns:
        Empty if the push has a name of the protocol itself: Pusher clients do not get it.

    Raises:
        UnwritableEvent: the bytes are no event.
    """
    try:
        read = _decode_event(event)
        if is_reserved(read.type):
            return b""
        member, given = split_member(read.type, bytes(read.data))
        data = to_client(read.type, given)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnwritableEvent(f"it is not an event: {error}") from None
    user = b',"user_id":%b' % member if member else b""
    return b'"event":%b,"data":%b%b,"position":%b' % (_encode(read.type), data, user, _encode(position))


def with_more(body: bytes) -> bytes:
    """The body of an event that a client has missed, and that is not the last one of its channel."""
    return body + b',"more":true'


def beat_body(position: str) -> bytes:
    """The members of a frame that tells the position up to which a client has been sent everything."""
    return b'"event":"pusher_internal:stork_beat","data":%b' % _encode(_text({"position": position}))


def last_event(events: Iterable[tuple[bytes, str]], since: float) -> bytes:
    """
    The body of the first event that a cache channel keeps; empty if there is none.

    Args:
        events: of the channel's topic with their positions, the newest first.
        since: what is older is kept no longer; Unix time in seconds.
    """
    for event, position in events:
        if (stamped_at(event) or since) < since:
            return b""
        if not _decode_event(event).type.startswith(CLIENT_EVENT) and (body := event_body(event, position)):
            return body
    return b""


def event(channel: str | None, body: bytes) -> bytes:
    """The frame of one push in one channel, with the body of ``event_body``; or of a beat, which has no channel."""
    return b"{%b}" % body if channel is None else b'{"channel":%b,%b}' % (_encode(channel), body)
