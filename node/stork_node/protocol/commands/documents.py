"""
Command documents: the bytes of one frame become a ``Command``, or are refused with the reason.

docs/delivery.md#commands has the rules. A command names whom it binds, and each kind of command may name others.
"""

import re
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from stork_node.errors import InvalidCommand, InvalidTopic
from stork_node.protocol import push_limits
from stork_node.protocol.push_refusals import explain_refusal, shorten
from stork_node.protocol.topics import Topic, is_part

Kind = Literal["disconnect", "unsubscribe", "refresh", "forget"]

RECEIPT_TIMEOUT_MS = 5_000
"""How long the answer to a push with a receipt waits for nodes."""
RECEIPT: Literal["receipt"] = "receipt"
"""The kind of the entry right after a push with a receipt: each node reports what it has written of that push."""

MAX_COMMAND_BYTES = 16 << 10
MAX_NAME_CHARACTERS = 255
MAX_REASON_BYTES = 123
"""A close frame of a WebSocket has no more (RFC 6455, 5.5)."""
DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS = 5_000, 30_000

SESSIONS = ("authid", "session", "role")
"""The keys that name sessions by what they are."""
TOPICS = ("topic", "feed")

_KEYS = "command, authid, session, role, topic, feed, reason, timeout_ms, id"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
SessionId = Annotated[int, Meta(ge=1, le=2**53)]


class Command(Struct, frozen=True, omit_defaults=True):
    """
    One command that keeps every rule; a key that it does not have is None or empty.

    Attributes:
        kind: what is to happen; ``receipt`` is given by the publish server only.
        authid, session, role: the sessions that it binds.
        topic: a URI.
        feed: ``version.name``.
        reason: text for the clients, at most 123 bytes.
        id: idempotency key.
        given_s: when the publish server took a ``disconnect`` of a user, Unix time in seconds; 0 for other commands.
    """

    kind: Kind | Literal["receipt"]
    authid: Name | None = None
    session: SessionId | None = None
    role: Name | None = None
    topic: Name | None = None
    feed: Name | None = None
    reason: Annotated[str, Meta(max_length=MAX_REASON_BYTES)] = ""
    id: Annotated[str, Meta(max_length=128)] | None = None
    given_s: Annotated[int, Meta(ge=0, le=2**53)] = 0


class CommandRequest(Struct, frozen=True):
    """A command, and how long its answer may wait for nodes, in milliseconds."""

    command: Command
    timeout_ms: int = DEFAULT_TIMEOUT_MS


class OutcomeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``{"outcome": "<position>"}``: a peer asks what became of the command with this position."""

    outcome: Annotated[str, Meta(max_length=100)]
    id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class _Document(Struct, forbid_unknown_fields=True):
    command: str
    authid: Name | UnsetType = UNSET
    session: SessionId | UnsetType = UNSET
    role: Name | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    feed: str | UnsetType = UNSET
    reason: str = ""
    timeout_ms: Annotated[int, Meta(ge=0, le=MAX_TIMEOUT_MS)] = DEFAULT_TIMEOUT_MS
    id: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET


class _AnyCommand(Struct):
    command: msgspec.Raw | UnsetType = UNSET


_decode_document = msgspec.json.Decoder(_Document).decode
_decode_any = msgspec.json.Decoder(_AnyCommand).decode
_decode_outcome = msgspec.json.Decoder(OutcomeRequest).decode
_MAX_OUTCOME_BYTES = 1_024


def is_command(frame: bytes) -> bool:
    """Whether a frame is a JSON object with the key ``command``: then it is no push document."""
    if b'"command"' not in frame or len(frame) > MAX_COMMAND_BYTES:
        return False
    try:
        return _decode_any(frame).command is not UNSET
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def decode_outcome(frame: bytes) -> OutcomeRequest | None:
    """Read a request for a command's outcome; None for other documents."""
    if b'"outcome"' not in frame or len(frame) > _MAX_OUTCOME_BYTES:
        return None
    try:
        return _decode_outcome(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_command(frame: bytes) -> CommandRequest:
    """
    Decode one command document.

    Args:
        frame: UTF-8 JSON, at most ``MAX_COMMAND_BYTES``.

    Raises:
        InvalidCommand: ``reason`` is "field: what is wrong"; the field is ``frame`` for the document as a whole.
    """
    if len(frame) > MAX_COMMAND_BYTES:
        raise InvalidCommand(f"frame: {len(frame):,} bytes, at most {MAX_COMMAND_BYTES:,} are allowed")
    try:
        document = _decode_document(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidCommand(explain_refusal(frame, error, push_limits.DEFAULT_DEPTH, _KEYS)) from None
    if push_limits.may_have_nul_string(frame) and push_limits.has_nul_string(frame):
        raise InvalidCommand("frame: a string begins with U+0000, which WAMP's JSON reads as binary")
    if document.command not in get_args(Kind):
        raise InvalidCommand(f"command: {shorten(document.command)} is not one of {', '.join(get_args(Kind))}")
    given = {name: value for name in (*SESSIONS, *TOPICS, "id") if (value := getattr(document, name)) is not UNSET}
    command = Command(document.command, reason=document.reason, **given)  # type: ignore[arg-type]  # it is a Kind
    check_command(command)
    return CommandRequest(command, document.timeout_ms)


def check_command(command: Command) -> None:
    """
    Check what the types of a command do not say.

    Raises:
        InvalidCommand: as ``decode_command``.
    """
    _check_targets(command)
    _check_names(command)


def _check_targets(command: Command) -> None:
    """Check that the command names those that its kind needs, and no others."""
    kind = command.kind
    sessions = [name for name in SESSIONS if getattr(command, name) is not None]
    topics = [name for name in TOPICS if getattr(command, name) is not None]
    match kind:
        case "disconnect":
            _check_exactly_one(kind, [*sessions, *topics], ("authid", "session", "role", "topic"))
        case "unsubscribe":
            _check_exactly_one(kind, topics, TOPICS)
            if len(sessions) > 1:
                raise InvalidCommand(f"{sessions[1]}: unsubscribe names at most one of {', '.join(SESSIONS)}")
        case "refresh":
            _check_exactly_one(kind, [*sessions, *topics], ("authid", "session"))
        case "forget":
            for name in sessions:
                if name != "authid":
                    raise InvalidCommand(f"{name}: forget names authid, topic and feed only")
            if len(topics) > 1:
                raise InvalidCommand("feed: forget names topic or feed, not both")
            if not sessions and not topics:
                raise InvalidCommand("authid: missing (forget names authid, topic or feed)")
        case "receipt":
            if named := [*sessions, *topics]:
                raise InvalidCommand(f"{named[0]}: receipt names nobody")


def _check_exactly_one(kind: str, named: list[str], allowed: tuple[str, ...]) -> None:
    choice = f"{kind} names exactly one of {', '.join(allowed)}"
    for name in named:
        if name not in allowed:
            raise InvalidCommand(f"{name}: {choice}")
    if not named:
        raise InvalidCommand(f"{allowed[0]}: missing ({choice})")
    if len(named) > 1:
        raise InvalidCommand(f"{named[1]}: {choice}")


def _check_names(command: Command) -> None:
    if command.topic is not None:
        try:
            Topic.parse(command.topic)
        except InvalidTopic as error:
            raise InvalidCommand(f"topic: {shorten(command.topic)} is not a topic: {error.reason}") from None
    if command.feed is not None:
        parts = command.feed.split(".")
        if len(parts) != 2 or not all(map(is_part, parts)) or len(command.feed) > MAX_NAME_CHARACTERS:
            raise InvalidCommand(f"feed: {shorten(command.feed)} is not a feed (want VERSION.NAME, such as v1.orders)")
    if len(command.reason.encode()) > MAX_REASON_BYTES:
        raise InvalidCommand(f"reason: {len(command.reason.encode()):,} bytes, at most {MAX_REASON_BYTES} are allowed")
    if _CONTROL.search(command.reason):
        raise InvalidCommand("reason: it has a control character")


def encode_command(
    kind: str,
    *,
    authid: str | None = None,
    session: int | None = None,
    role: str | None = None,
    topic: str | None = None,
    feed: str | None = None,
    reason: str = "",
    timeout_ms: int | None = None,
    id: str | None = None,
) -> bytes:
    """
    Write one command document.

    Raises:
        InvalidCommand: the publish server would refuse it; for the same reason, found here.
    """
    said = {
        "command": kind,
        "authid": authid,
        "session": session,
        "role": role,
        "topic": topic,
        "feed": feed,
        "reason": reason or None,
        "timeout_ms": timeout_ms,
        "id": id,
    }
    try:
        frame = msgspec.json.encode({name: value for name, value in said.items() if value is not None})
    except (TypeError, ValueError, OverflowError) as error:  # no JSON form; a lone surrogate
        raise InvalidCommand(f"frame: {error}") from None
    decode_command(frame)
    return frame
