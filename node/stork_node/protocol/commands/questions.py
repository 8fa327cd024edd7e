"""
Questions that every node of a deployment answers, by the replay port. They are no entries of the log.

    DEALER → stork 1 ask {"id":7,"question":"topic","params":{"topic":"v1.orders.42"},"incarnation":"…"}
    ROUTER → stork 1 question {"id":12,"question":"topic","params":{…}}       to every other attached node
    DEALER → stork 1 reply {"id":12,"content":2}                              from each of them
    ROUTER → stork 1 replies {"id":7,"nodes":["node-2"],"missing":["node-3"]} | 2

The publish server passes a question on by the connections on which nodes say their leases, collects the replies, and
sends them in one message: a header, and a frame for each of its ``nodes``. ``params`` and contents are JSON.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from stork_node.errors import InvalidFrame
from stork_node.protocol.positions import MAX_SEQUENCE

MAX_PARAMS_BYTES = 16 << 10
MAX_CONTENT_BYTES = 48 << 10
"""Of one node's answer: a frame on the replay port has 64 KiB at most."""
DEFAULT_WAIT_MS, MAX_WAIT_MS = 2_000, 10_000

_Id = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
_Name = Annotated[str, Meta(pattern=r"\A[a-z_]{1,64}\Z")]
_Label = Annotated[str, Meta(max_length=80)]
_NULL = Raw(b"null")


class Ask(Struct, frozen=True, omit_defaults=True):
    """
    Somebody asks the nodes.

    Attributes:
        id: the answer has it again.
        question: its name.
        params: JSON.
        incarnation: of the node that asks, which is not asked itself; empty for others.
        node: the only node that is asked; empty for all.
        wait_ms: a node that has not replied after it is missing.
    """

    id: _Id
    question: _Name
    params: Raw = _NULL
    incarnation: Annotated[str, Meta(max_length=64)] = ""
    node: _Label = ""
    wait_ms: Annotated[int, Meta(ge=0, le=MAX_WAIT_MS)] = DEFAULT_WAIT_MS


class Question(Struct, frozen=True):
    """The publish server passes a question on to a node."""

    id: _Id
    question: _Name
    params: Raw = _NULL


class Reply(Struct, frozen=True, omit_defaults=True):
    """A node's answer; without ``content`` it has none: it does not know the question, or its answer is too large."""

    id: _Id
    content: Raw | UnsetType = UNSET


class Replies(Struct, frozen=True):
    """
    The answer to an ``Ask``.

    Attributes:
        nodes: the names of the nodes that have replied; a frame follows for each.
        missing: the names of the others.
    """

    id: _Id
    nodes: tuple[_Label, ...] = ()
    missing: tuple[_Label, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode_question = msgspec.json.Decoder(Question).decode
_decode_replies = msgspec.json.Decoder(Replies).decode
_QUESTION, _REPLIES = b"stork 1 question ", b"stork 1 replies "


def encode_question(question: Question) -> bytes:
    """The one frame of a question for a node."""
    return _QUESTION + _encode(question)


def encode_replies(replies: Replies, contents: Sequence[bytes]) -> list[bytes]:
    """The message for who has asked."""
    return [_REPLIES + _encode(replies), *contents]


def decode_questions(frames: Sequence[bytes]) -> Question | tuple[Replies, list[bytes]] | None:
    """
    Read what a publish server sends besides answers to leases; None for those.

    Raises:
        InvalidFrame: it has another form.
    """
    first = frames[0] if frames else b""
    try:
        if first.startswith(_QUESTION) and len(frames) == 1:
            return _decode_question(first[len(_QUESTION) :])
        if first.startswith(_REPLIES):
            replies = _decode_replies(first[len(_REPLIES) :])
            if len(replies.nodes) == len(frames) - 1:
                return replies, list(frames[1:])
            raise InvalidFrame(f"{len(frames) - 1} replies of {len(replies.nodes)} nodes")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame(f"its header: {error}") from None
    return None
