"""
Answers of the publish server to its peers, one JSON frame each (docs/delivery.md#answers).

A peer may send several push documents in one frame, a bundle; what can be answered at once comes back in one frame:

    DEALER → stork 1 pushes [{"topics":…},…]
    ROUTER → stork 1 answers [{"ok":true,…},…]
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from stork_node.protocol.positions import Position, is_position

Error = Literal["invalid_push", "invalid_command", "id_reused", "storage_failed", "not_confirmed", "not_found"]


class Answer(Struct, frozen=True, gc=False):
    """
    One answer, for a pusher.

    ``position`` is set if ``ok``; otherwise ``error`` and ``reason`` are. ``id`` is that of the push; None for a
    request of the position, and for a document whose id could not be read. ``complete`` and ``nodes`` are those of a
    command: what it met on each node, or why it has not. ``receipt`` is that of a push: what each node has written.
    ``warning``: why a stored push reaches nobody, in a sentence.
    """

    ok: bool
    id: str | None = None
    position: str = ""
    duplicate: bool = False
    error: str = ""
    reason: str = ""
    complete: bool | None = None
    nodes: dict[str, dict[str, int] | str] = {}
    receipt: dict[str, dict[str, int] | str] | None = None
    warning: str = ""


MOST_BUNDLED = 1_000
"""Documents of one bundle."""
MAX_BUNDLE_BYTES = 1 << 20
_BUNDLE, _ANSWERS = b"stork 1 pushes ", b"stork 1 answers "
_decode_bundle = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode
_decode_many = msgspec.json.Decoder(list[Answer]).decode


def encode_stored(
    id: str | None,
    position: Position | str,
    *,
    duplicate: bool = False,
    receipt: Mapping[str, dict[str, int] | str] | None = None,
    warning: str = "",
) -> bytes:
    """
    The push is stored at ``position``, or was when its id first came; ``receipt``: what each node has written;
    ``warning``: why nobody can get it.
    """
    if duplicate or receipt is not None or warning:
        stored: dict[str, Any] = {"ok": True, "id": id, "position": str(position)}
        if duplicate:
            stored["duplicate"] = True
        if receipt is not None:
            stored["receipt"] = receipt
        if warning:
            stored["warning"] = warning
        return _encode(stored)
    return b'{"ok":true,"id":%b,"position":"%b"}' % (_encode(id), str(position).encode())


def encode_obeyed(
    id: str | None, position: Position, complete: bool, nodes: Mapping[str, dict[str, int] | str]
) -> bytes:
    """The command is stored at ``position``; ``complete``: no node is left that has not obeyed."""
    return _encode({"ok": True, "id": id, "complete": complete, "position": str(position), "nodes": nodes})


def encode_refused(id: str | None, error: Error, reason: str) -> bytes:
    """The push is not stored."""
    return _encode({"ok": False, "id": id, "error": error, "reason": reason})


def encode_tail(position: Position) -> bytes:
    """The answer to ``{"position": true}``."""
    return b'{"ok":true,"position":"%b"}' % str(position).encode()


def encode_bundle(documents: Iterable[bytes]) -> bytes:
    """The frame of some documents, ``MOST_BUNDLED`` and ``MAX_BUNDLE_BYTES`` at most; each is JSON."""
    return b"%b[%b]" % (_BUNDLE, b",".join(documents))


def is_bundle(frame: bytes) -> bool:
    """Whether it is said to be a bundle."""
    return frame.startswith(_BUNDLE)


def split_bundle(frame: bytes) -> list[bytes] | None:
    """The documents of a bundle, 1 to 1,000; None for another form."""
    try:
        documents = _decode_bundle(frame[len(_BUNDLE) :])
    except (msgspec.DecodeError, RecursionError):
        return None
    return [bytes(each) for each in documents] if 1 <= len(documents) <= MOST_BUNDLED else None


def encode_answers(answers: Iterable[bytes]) -> bytes:
    """The answers to the documents of a bundle, in order."""
    return b"%b[%b]" % (_ANSWERS, b",".join(answers))


def decode_answers(frame: bytes) -> list[Answer] | None:
    """Read the answers to a bundle; None for a frame that is one answer, or none."""
    if not frame.startswith(_ANSWERS):
        return None
    try:
        return [answer for answer in _decode_many(frame[len(_ANSWERS) :]) if _is_whole(answer)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def decode_answer(frame: bytes) -> Answer | None:
    """Read one answer; None for other bytes (the peer is no publish server)."""
    try:
        answer = _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return answer if _is_whole(answer) else None


def _is_whole(answer: Answer) -> bool:
    return is_position(answer.position) if answer.ok else answer.error != ""
