"""Pushes that a webhook is told of, by their feeds."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw, Struct

from stork_node.protocol.bus import PushFrame

_PUSH = b"stork 1 push "


class _Event(Struct):
    type: str
    data: Raw
    timestamp: str


class _Told(Struct):
    position: str
    topics: list[str]
    type: str
    data: Raw
    timestamp: str
    event: str = "push"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Event).decode


def encode_push(frame: PushFrame, feeds: Sequence[str]) -> bytes | None:
    """
    The event of a push as JSON; ``data`` has the bytes that were pushed.

    Args:
        feeds: as in ``v1.orders``; topics of other feeds are left out.

    Returns:
        None for a push to none of these feeds.
    """
    beginnings = tuple(f"{feed}." for feed in feeds)
    topics = [topic for topic in frame.topics if topic.startswith(beginnings)]
    if not topics:
        return None
    event = _decode(frame.event)
    return _encode(_Told(str(frame.position), topics, event.type, event.data, event.timestamp))


def push_filter(feeds: Sequence[str]) -> Callable[[bytes], bool]:
    """Whether a frame may be a push to one of ``feeds``, found without reading it; quick, for the server's loop."""
    marks = [b'"%b.' % feed.encode() for feed in feeds]

    def is_wanted(frame: bytes) -> bool:
        if not marks or not frame.startswith(_PUSH):
            return False
        end = frame.find(b"\n")
        return any(frame.find(mark, len(_PUSH), end) >= 0 for mark in marks)

    return is_wanted
