"""
Replay: how a relay asks the publish server for what lies before a frame, and what it is answered; and how an operator
has a topic erased.

    DEALER → stork 1 replay {"epoch":"…","after":12,"run":"…","keep_s":300,"keep_bytes":67108864,"proof":"…"}
    ROUTER → stork 1 page {"epoch":"…","run":"…","floor":0,"tail":40,"after":12,"last":20,"proof":"…"} | frame | …
    ROUTER → stork 1 refused {"reason":"…"}

    DEALER → stork 1 erase {"topic":"…"}
    ROUTER → stork 1 erasing {"pushes":1200}        at once, and each second
    ROUTER → stork 1 erased {"pushes":4711}

    DEALER → stork 1 lease {…} | nodes {}           see ``commands.leases``

One page of about 1 MiB, one request at a time. A page begins where the relay asked, or where the server can: then the
relay has a break. If a page has no frame for a number, the log does not keep that push.

An erasure has a number of its own (``bus.EraseFrame``), given before the log is searched: nothing that was pushed to
the topic before that number is left, in the log or with a relay. ``pushes`` are those found in the log.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from stork_node.errors import InvalidFrame
from stork_node.protocol.bus import PROTOCOL, split_frame
from stork_node.protocol.bus_checks import Name, Proof, check_names
from stork_node.protocol.commands.leases import (
    NODE_REQUESTS,
    NodeAnswer,
    NodeRequest,
    decode_node_header,
    decode_node_request,
)
from stork_node.protocol.positions import MAX_SEQUENCE

T = TypeVar("T")

PAGE_BYTES = 1 << 20

_REQUEST = b"stork %d replay " % PROTOCOL
_PAGE = b"stork %d page " % PROTOCOL
_REFUSED = b"stork %d refused " % PROTOCOL
_ERASE = b"stork %d erase " % PROTOCOL
_ERASING = b"stork %d erasing " % PROTOCOL
_ERASED = b"stork %d erased " % PROTOCOL

_LONGEST_KEEP_S = 1e15
_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class ReplayRequest(Struct, frozen=True, omit_defaults=True):
    """
    What a relay asks.

    Attributes:
        epoch: that it follows; empty where it follows none yet.
        after: the last number that it has seen; 0 without an epoch.
        run: of the last frame or page that it believed; empty without an epoch. A server of another run whose log ended
            before ``after`` when the run began has an older log than the relay: it begins a new epoch, given a proof.
        keep_s: how far back in time (seconds) the relay can use pushes, where it has to begin anew.
        keep_bytes: how many bytes of them at most.
        proof: of ``after``, as the frame or page said; empty where that was of a release that has none.
    """

    epoch: str
    after: _Sequence
    run: str
    keep_s: Annotated[float, Meta(ge=0, le=_LONGEST_KEEP_S)]
    keep_bytes: Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
    proof: Proof = ""


class EraseRequest(Struct, frozen=True):
    """An operator has what was pushed to ``topic`` (a URI) erased."""

    topic: str


class PageHeader(Struct, frozen=True, omit_defaults=True):
    """
    What a page says of itself.

    Attributes:
        epoch: of the server's log.
        run: of the server.
        floor: the number before the first that the log still has.
        tail: the last number given.
        after: the number before the page's first: what was asked for, unless the log cannot be read from there.
        last: the number of the page's last; ``after`` for an empty page.
        proof: that ``run`` gave ``last`` out; empty from a release that has none.
        nodes: whether the server understands leases.
    """

    epoch: Name
    run: Name
    floor: _Sequence
    tail: _Sequence
    after: _Sequence
    last: _Sequence
    proof: Proof = ""
    nodes: bool = False


class Page(Struct, frozen=True):
    """A page as it came: ``frames`` are of the bus, in order."""

    header: PageHeader
    frames: list[bytes]


class Erasing(Struct, frozen=True):
    """How many ``pushes`` to the topic were found; ``is_done`` once there are no more."""

    pushes: int
    is_done: bool


class ReplayRefused(InvalidFrame):
    """The publish server does not understand the request, or cannot do it; ``reason`` is its own."""


class _Refusal(Struct):
    reason: str


class _Erased(Struct):
    pushes: Annotated[int, Meta(ge=0)]


_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(ReplayRequest).decode
_decode_erase = msgspec.json.Decoder(EraseRequest).decode
_decode_page = msgspec.json.Decoder(PageHeader).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode
_decode_erased = msgspec.json.Decoder(_Erased).decode


def encode_request(request: ReplayRequest | EraseRequest) -> bytes:
    """The one frame of a request."""
    return (_REQUEST if isinstance(request, ReplayRequest) else _ERASE) + _encode(request)


def decode_request(frame: bytes) -> ReplayRequest | EraseRequest | NodeRequest:
    """
    Read a request.

    Raises:
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: not a request.
    """
    kind, header, rest = split_frame(frame)
    if kind == b"replay" and rest is None:
        return _read_header(_decode_request, header)
    if kind == b"erase" and rest is None:
        return _read_header(_decode_erase, header)
    if kind in NODE_REQUESTS and rest is None:
        return _read_header(partial(decode_node_request, kind), header)
    raise InvalidFrame(f"{kind[:20]!r} is not a request for replay")


def encode_page(header: PageHeader, frames: Sequence[bytes]) -> list[bytes]:
    """The frames of an answer."""
    return [_PAGE + _encode(header), *frames]


def encode_refusal(reason: str) -> list[bytes]:
    """The answer to a request that is not understood."""
    return [_REFUSED + _encode(_Refusal(reason))]


def encode_erasing(erasing: Erasing) -> list[bytes]:
    """The answer about an erasure that goes on, or is done."""
    return [(_ERASED if erasing.is_done else _ERASING) + _encode(_Erased(erasing.pushes))]


def decode_answer(frames: Sequence[bytes]) -> Page:
    """
    Read the answer to a request for a page.

    Raises:
        ReplayRefused: the server did not understand the request.
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: not a page.
    """
    kind, header = _read_answer(frames)
    if kind != b"page":
        raise InvalidFrame(f"{kind[:20]!r} is not a page")
    page = _read_header(_decode_page, header)
    check_names(page.epoch, page.run)
    return Page(page, list(frames[1:]))


def decode_node_answer(frames: Sequence[bytes]) -> NodeAnswer:
    """
    Read the answer to a lease, or to a request for the table of nodes.

    Raises:
        ReplayRefused: the server did not understand the request; ``reason`` is its own.
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: not such an answer.
    """
    kind, header = _read_answer(frames)
    answer = _read_header(partial(decode_node_header, kind), header)
    if answer is None:
        raise InvalidFrame(f"{kind[:20]!r} is not about nodes")
    check_names(answer.epoch, answer.run)
    return answer


def decode_erasing(frames: Sequence[bytes]) -> Erasing:
    """
    Read an answer about an erasure.

    Raises:
        ReplayRefused: the server did not understand the request, or cannot erase; ``reason`` is its own.
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: not such an answer.
    """
    kind, header = _read_answer(frames)
    if kind not in (b"erasing", b"erased"):
        raise InvalidFrame(f"{kind[:20]!r} is not about an erasure")
    return Erasing(_read_header(_decode_erased, header).pushes, kind == b"erased")


def _read_answer(frames: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The kind and the header of an answer that is no refusal."""
    if not frames:
        raise InvalidFrame("it is empty")
    kind, header, rest = split_frame(frames[0])
    if rest is not None:
        raise InvalidFrame("its header is more than a line")
    if kind == b"refused":
        raise ReplayRefused(_read_header(_decode_refusal, header).reason)
    return kind, header


def _read_header(decode: Callable[[bytes], T], header: bytes) -> T:
    try:
        return decode(header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame(f"its header: {error}") from None
