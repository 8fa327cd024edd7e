"""
EVENT messages as WebSocket frames, built from the bytes of a push: without message objects, and encoded only once.

A message equals that of autobahn's serializers, except that JSON clients get exactly the pushed bytes.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any

import cbor2
import msgspec

from stork_node.errors import UnwritableEvent
from stork_node.pusher import server_frames
from stork_node.pusher.server_frames import beat_body, event_body

_pack_msgpack = msgspec.msgpack.Encoder().encode
_decode_json = msgspec.json.Decoder().decode
_encode_json = msgspec.json.Encoder().encode

_short_head = Struct("!BB").pack
_medium_head = Struct("!BBH").pack
_long_head = Struct("!BBQ").pack

_TEXT, _BINARY = 0x81, 0x82  # RFC 6455, 5.2: a whole message in one frame


class Content:
    """
    The content of all EVENTs of one push: made once for each serializer, at its first use.

    Args:
        event: JSON of the one positional argument, or None for an event without one (a position event).
        position: ``epoch:sequence``, the keyword argument ``position``.
    """

    __slots__ = ("_ends", "_event", "position", "size")

    def __init__(self, event: bytes | None, position: str) -> None:
        self._event, self.position = event, position
        self.size = len(event or b"") + len(position)
        """Bytes of JSON, roughly."""
        self._ends: dict[str, bytes] = {}

    def args(self) -> list[Any]:
        """
        The positional arguments as objects.

        Raises:
            UnwritableEvent: the bytes are not JSON.
        """
        try:
            return [] if self._event is None else [_decode_json(self._event)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnwritableEvent(f"it is not JSON: {error}") from None

    def end(self, serializer: str) -> bytes:
        """
        The end of an EVENT: its arguments and keyword arguments.

        Raises:
            UnwritableEvent: this serializer cannot hold it.
        """
        end = self._ends.get(serializer)
        if end is None:
            end = self._ends[serializer] = self._encode(serializer)
        return end

    def _encode(self, serializer: str) -> bytes:
        if serializer == "json":
            return b'[%b],{"position":"%b"}' % (self._event or b"", self.position.encode())
        if serializer == PUSHER:
            return beat_body(self.position) if self._event is None else event_body(self._event, self.position)
        encode = _ENCODERS[serializer]
        args = self.args()
        try:
            return encode(args) + encode({"position": self.position})
        except (ValueError, OverflowError, TypeError, RecursionError) as error:
            raise UnwritableEvent(f"{serializer} cannot hold it: {error}") from None


class ToldToChannel(Content):
    """A frame for the clients of a channel of Pusher that is no push; ``body`` as ``server_frames.event`` takes it."""

    __slots__ = ()

    def __init__(self, body: bytes) -> None:
        super().__init__(body, "")
        self._ends[PUSHER] = body


def _encode_msgpack(value: Any) -> bytes:
    return _pack_msgpack(value)


def _encode_cbor(value: Any) -> bytes:
    return bytes(cbor2.dumps(value))


_ENCODERS: dict[str, Callable[[Any], bytes]] = {"msgpack": _encode_msgpack, "cbor": _encode_cbor}


def _json_frame(subscription: int, publication: int, topic: str | None, content: Content) -> bytes:
    details = b"{}" if topic is None else b'{"topic":%b}' % _encode_json(topic)
    return framed(_TEXT, b"[36,%d,%d,%b,%b]" % (subscription, publication, details, content.end("json")))


def _msgpack_frame(subscription: int, publication: int, topic: str | None, content: Content) -> bytes:
    # 0x96: an array of six; 36 is EVENT.
    head = b"\x96\x24" + _pack_msgpack(subscription) + _pack_msgpack(publication) + _pack_msgpack(_details(topic))
    return framed(_BINARY, head + content.end("msgpack"))


def _cbor_frame(subscription: int, publication: int, topic: str | None, content: Content) -> bytes:
    # 0x86: an array of six; 36 is EVENT.
    head = b"\x86\x18\x24" + _encode_cbor(subscription) + _encode_cbor(publication) + _encode_cbor(_details(topic))
    return framed(_BINARY, head + content.end("cbor"))


def _details(topic: str | None) -> dict[str, str]:
    return {} if topic is None else {"topic": topic}


def framed(first_byte: int, message: bytes) -> bytes:
    """One frame of a server, which is never masked (RFC 6455, 5.2)."""
    length = len(message)
    if length < 126:
        return _short_head(first_byte, length) + message
    if length < 0x10000:
        return _medium_head(first_byte, 126, length) + message
    return _long_head(first_byte, 127, length) + message


def _pusher_frame(_subscription: int, _publication: int, channel: str | None, content: Content) -> bytes:
    return framed(_TEXT, server_frames.event(channel, content.end(PUSHER)))


PUSHER = "pusher"
"""Pusher's protocol as one more serializer. A frame's topic is the channel; a content without an end has no frame."""

FRAMES: dict[str, Callable[[int, int, str | None, Content], bytes]] = {
    "json": _json_frame,
    "msgpack": _msgpack_frame,
    "cbor": _cbor_frame,
}
"""
By the serializer's name in WAMP: makes the frame of one EVENT from subscription and publication ids, the topic if the
subscription is a pattern, and content. Raises ``UnwritableEvent``.
"""

ALL_FRAMES = {**FRAMES, PUSHER: _pusher_frame}
"""The same, with Pusher's protocol."""
