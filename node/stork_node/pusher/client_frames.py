"""The frames that a Pusher client sends: JSON objects with an event, decoded."""

import re
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from stork_node.errors import InvalidPosition
from stork_node.protocol.positions import Position
from stork_node.pusher.data import CLIENT_EVENT
from stork_node.pusher.errors import InvalidFrame

MAX_FRAME_BYTES = 64 * 1024
MAX_EVENT_CHARACTERS = 200
MOST_EARLIER_SOCKETS = 1_000

_PROTOCOL = "pusher:"
_NUMBER = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Resumption:
    """
    What stork-pusher.js adds to a subscription.

    Attributes:
        since: the client has all events up to here; None if it has no position, or one that cannot be read.
        sockets: the numbers of its earlier sockets. What was not for them is not for this one.
    """

    since: Position | None
    sockets: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Subscribe:
    """
    ``auth`` and ``channel_data`` are as the client sent them; None if it sent none. ``resumption`` is None for clients
    without recovery.
    """

    channel: str
    auth: str | None
    channel_data: str | None
    resumption: Resumption | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    channel: str


@dataclass(frozen=True, slots=True)
class SignIn:
    auth: str
    user_data: str


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """``data`` is the JSON that the client sent."""

    event: str
    channel: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    pass


@dataclass(frozen=True, slots=True)
class Other:
    """A pong, or an event of the protocol that is not known here: it shows that the client lives, and nothing else."""


ClientFrame = Subscribe | Unsubscribe | SignIn | ClientEvent | Ping | Other


class _Frame(Struct, gc=False):
    event: str
    data: Raw = Raw(b"null")
    channel: str | None = None


class _Subscribe(Struct, gc=False):
    channel: str
    auth: str | None = None
    channel_data: str | None = None
    since: str | UnsetType | None = UNSET
    sessions: list[str] | None = None


class _Unsubscribe(Struct, gc=False):
    channel: str


class _SignIn(Struct, gc=False):
    auth: str
    user_data: str


_decode = msgspec.json.Decoder(_Frame).decode
_decode_subscribe = msgspec.json.Decoder(_Subscribe).decode
_decode_unsubscribe = msgspec.json.Decoder(_Unsubscribe).decode
_decode_sign_in = msgspec.json.Decoder(_SignIn).decode
_decode_text = msgspec.json.Decoder(str).decode


def decode(text: bytes) -> ClientFrame:
    """
    Decode one frame.

    Raises:
        InvalidFrame: no JSON, no object, no event, or an event without what it needs.
    """
    try:
        text.decode()
        frame = _decode(text)
        return _read(frame)
    except UnicodeDecodeError:
        raise InvalidFrame("the frame is not UTF-8") from None
    except msgspec.ValidationError as error:
        raise InvalidFrame(f"the frame has not the form of an event: {error}") from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidFrame("the frame is not JSON") from None


def _read(frame: _Frame) -> ClientFrame:
    match frame.event:
        case "pusher:subscribe":
            asked = _decode_subscribe(_object(frame.data))
            return Subscribe(asked.channel, asked.auth, asked.channel_data, _resumption(asked))
        case "pusher:unsubscribe":
            return Unsubscribe(_decode_unsubscribe(_object(frame.data)).channel)
        case "pusher:signin":
            told = _decode_sign_in(_object(frame.data))
            return SignIn(told.auth, told.user_data)
        case "pusher:ping":
            return Ping()
    if frame.event.startswith(CLIENT_EVENT):
        return _client_event(frame)
    if frame.event.startswith(_PROTOCOL):
        return Other()
    raise InvalidFrame(f"clients send events that begin with {CLIENT_EVENT}")


def _resumption(asked: _Subscribe) -> Resumption | None:
    if asked.since is UNSET:
        return None
    numbers = [id.partition(".")[0] for id in (asked.sessions or [])[-MOST_EARLIER_SOCKETS:]]
    try:
        since = Position.parse(asked.since) if isinstance(asked.since, str) else None
    except InvalidPosition:
        since = None
    return Resumption(since, frozenset(int(number) for number in numbers if _NUMBER.fullmatch(number)))


def _client_event(frame: _Frame) -> ClientEvent:
    if len(frame.event) > MAX_EVENT_CHARACTERS:
        raise InvalidFrame(f"the name of an event has at most {MAX_EVENT_CHARACTERS} characters")
    if frame.channel is None:
        raise InvalidFrame("a client event needs its channel")
    return ClientEvent(frame.event, frame.channel, bytes(frame.data))


def _object(data: Raw) -> bytes:
    """Some clients send the data of a frame as a string with JSON in it."""
    text = bytes(data)
    return _decode_text(text).encode() if text[:1] == b'"' else text
