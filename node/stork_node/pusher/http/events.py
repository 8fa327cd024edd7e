"""The bodies of ``POST events`` and ``batch_events``: checked as a whole, before anything is stored."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from stork_node.errors import InvalidPush
from stork_node.protocol.push import MAX_PUSH_BYTES, encode_push
from stork_node.pusher.apps import App
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import MAX_EVENT_CHARACTERS
from stork_node.pusher.data import to_push
from stork_node.pusher.errors import HttpRefusal, InvalidChannel
from stork_node.pusher.server_frames import is_reserved

MAX_CHANNELS = 100
MAX_BATCH = 1_000

_SOCKET_ID = re.compile(r"[0-9]+\.[0-9]+")
_MAX_NUMBER = 2**53
_MAX_DIGITS = 16


@dataclass(frozen=True)
class EventPush:
    """
    One event that a backend sends.

    Attributes:
        frame: the push document for the publish server; its id is not in it.
        channels: where it goes.
        info: what is to be told of these channels.
        id: as the backend gave it; None if it gave none.
    """

    topics: tuple[str, ...]
    name: str
    data: bytes
    exclude: tuple[int, ...]
    channels: tuple[Channel, ...]
    info: tuple[str, ...]
    id: str | None

    def frame(self, id: str) -> bytes:
        """
        The push document for the publish server.

        Raises:
            HttpRefusal: the publish server would refuse it.
        """
        try:
            return encode_push(self.topics, self.name, Raw(self.data), id=id, exclude=self.exclude)
        except InvalidPush as error:
            is_too_large = error.reason.startswith("frame:") and f"{MAX_PUSH_BYTES:,}" in error.reason
            raise HttpRefusal(413 if is_too_large else 400, error.reason) from None


class _Event(Struct, gc=False):
    name: str
    data: str
    channels: list[str] | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None
    id: str | None = None


class _Batch(Struct, gc=False):
    batch: list[_Event]


Body = TypeVar("Body")


def read_event(app: App, body: bytes, header_id: str | None) -> EventPush:
    """
    Args:
        header_id: the value of Idempotency-Key.

    Raises:
        HttpRefusal: the body is refused.
    """
    event = _decode(body, _Event)
    if event.id is not None and header_id not in (None, event.id):
        raise HttpRefusal(400, "the Idempotency-Key is another one than the id of the event")
    event.id = event.id if event.id is not None else header_id
    return _push(app, event)


def read_batch(app: App, body: bytes) -> Sequence[EventPush]:
    """
    Raises:
        HttpRefusal: the body, or one of its events, is refused.
    """
    batch = _decode(body, _Batch).batch
    if len(batch) > MAX_BATCH:
        raise HttpRefusal(400, f"a batch has at most {MAX_BATCH:,} events, this one has {len(batch):,}")
    pushes = []
    for number, event in enumerate(batch):
        try:
            if event.channels is not None:
                raise HttpRefusal(400, "an event of a batch has one channel")
            pushes.append(_push(app, event))
        except HttpRefusal as error:
            raise HttpRefusal(error.status, f"batch[{number}]: {error.reason}") from None
    return pushes


def _decode(body: bytes, form: type[Body]) -> Body:
    try:
        body.decode()
        return msgspec.json.decode(body, type=form)
    except UnicodeDecodeError:
        raise HttpRefusal(400, "the body is not UTF-8") from None
    except msgspec.ValidationError as error:
        raise HttpRefusal(400, f"the body has not the form of an event: {error}") from None
    except (msgspec.DecodeError, RecursionError):
        raise HttpRefusal(400, "the body is not JSON") from None


def _push(app: App, event: _Event) -> EventPush:
    if not 1 <= len(event.name) <= MAX_EVENT_CHARACTERS:
        raise HttpRefusal(400, f"the name of an event has 1 to {MAX_EVENT_CHARACTERS} characters")
    if is_reserved(event.name):
        raise HttpRefusal(400, f"{event.name!r} is a name of the protocol itself")
    names = event.channels if event.channels is not None else [event.channel] if event.channel is not None else []
    if not 1 <= len(names) <= MAX_CHANNELS:
        raise HttpRefusal(400, f"an event has 1 to {MAX_CHANNELS} channels, this one has {len(names):,}")
    try:
        channels = tuple(Channel.parse(name) for name in dict.fromkeys(names))
        topics = tuple(channel.topic(app.version) for channel in channels)
    except InvalidChannel as error:
        raise HttpRefusal(400, str(error)) from None
    if len(event.data) > MAX_PUSH_BYTES:
        raise HttpRefusal(413, f"data has at most {MAX_PUSH_BYTES:,} bytes")
    info = tuple(filter(None, (event.info or "").split(",")))
    data = to_push(event.name, event.data)
    return EventPush(topics, event.name, data, _excluded(event.socket_id), channels, info, event.id)


def _excluded(socket_id: str | None) -> tuple[int, ...]:
    """The number of a socket; none for a socket that no node can have."""
    if socket_id is None:
        return ()
    if not _SOCKET_ID.fullmatch(socket_id):
        raise HttpRefusal(400, f"{socket_id[:80]!r} is not a socket_id (want 123.456)")
    number = socket_id.partition(".")[0]
    return (int(number),) if len(number) <= _MAX_DIGITS and 1 <= int(number) <= _MAX_NUMBER else ()
