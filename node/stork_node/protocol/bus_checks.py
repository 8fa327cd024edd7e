"""
What a publish server may say on the bus and in pages: a relay believes nothing beyond this.

Whoever reaches a port may be the server that a relay connects to. What is refused here can neither grow in the relay,
nor reach a client or the log.
"""

import re
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from stork_node.errors import InvalidFrame, InvalidTopic
from stork_node.protocol.push import MAX_PUSH_BYTES, MAX_TOPICS
from stork_node.protocol.push_refusals import shorten
from stork_node.protocol.topics import Topic

MAX_EVENT_BYTES = MAX_PUSH_BYTES + 1024
"""Of a push, and a timestamp where the pusher gave none."""

Name = Annotated[str, Meta(max_length=64)]
"""An epoch or a run: see ``check_names``."""

Proof = Annotated[str, Meta(max_length=64)]
Topics = Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_TOPICS)]
Exclude = tuple[Annotated[int, Meta(ge=1, le=2**53)], ...]
Time = Annotated[str, Meta(max_length=64)]
Counters = Annotated[
    dict[Annotated[str, Meta(max_length=64, pattern=r"\A[a-z][a-z0-9_]*\Z")], float], Meta(max_length=200)
]


class _Event(Struct, forbid_unknown_fields=True):
    type: str
    data: Raw
    timestamp: str


_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")
_decode_event = msgspec.json.Decoder(_Event).decode


# What raises is not cached: neither names nor topics of any size are kept.
@lru_cache(100)
def check_names(epoch: str, run: str) -> None:
    """
    Check an epoch and a run: 1 to 64 letters, digits, ``_`` and ``-``.

    Raises:
        InvalidFrame: one of them is something else.
    """
    for what, name in (("epoch", epoch), ("run", run)):
        if _NAME.fullmatch(name) is None:
            raise InvalidFrame(f"its {what}: {shorten(name)} is no name")


@lru_cache(10_000)
def check_topic(uri: str) -> None:
    """
    Check one topic.

    Raises:
        InvalidFrame: it is none.
    """
    try:
        Topic.parse(uri)
    except InvalidTopic as error:
        raise InvalidFrame(f"its topics: {shorten(uri)} is not a topic: {error.reason[:200]}") from None


def check_topics(topics: tuple[str, ...]) -> None:
    """
    Check the topics of a push: each is one, and is there once.

    Raises:
        InvalidFrame: not so.
    """
    for uri in topics:
        check_topic(uri)
    if len(topics) > 1 and len(set(topics)) < len(topics):
        raise InvalidFrame("its topics: one is there twice")


def check_event(event: bytes) -> None:
    """
    Check that the event of a push is a JSON object with ``type``, ``data`` and ``timestamp``, of ``MAX_EVENT_BYTES``.

    Numbers are not looked at, nor how deep it is nested: that would cost as much as the rest of a frame.

    Raises:
        InvalidFrame: it is not.
    """
    if len(event) > MAX_EVENT_BYTES:
        raise InvalidFrame(f"its event: {len(event):,} bytes, at most {MAX_EVENT_BYTES:,} are allowed")
    try:
        # msgspec passes over invalid UTF-8 in Raw.
        if not event.isascii():
            event.decode()
        _decode_event(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame(f"its event: {error}") from None
