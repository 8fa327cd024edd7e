"""
Replay: how a relay asks the publish server for what lies before a frame, and what it is answered.

    DEALER → stork 1 replay {"epoch":"…","after":12,"run":"…","keep_s":300,"keep_bytes":67108864}
    ROUTER → stork 1 page {"epoch":"…","run":"…","floor":0,"tail":40,"after":12,"last":20} | frame | frame | …
    ROUTER → stork 1 refused {"reason":"…"}

One page of about 1 MiB, one request at a time. A page begins where the relay asked, or where the server can: then the
relay has a break. Numbers of a page for which there is no frame are those of pushes that are not kept.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stork_node.bus import PROTOCOL, split_frame
from stork_node.errors import InvalidFrame
from stork_node.positions import MAX_SEQUENCE

PAGE_BYTES = 1 << 20

_REQUEST = b"stork %d replay " % PROTOCOL
_PAGE = b"stork %d page " % PROTOCOL
_REFUSED = b"stork %d refused " % PROTOCOL

_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class ReplayRequest(Struct, frozen=True):
    """
    What a relay asks.

    Attributes:
        epoch: that it follows; empty where it follows none yet.
        after: the last number that it has seen; 0 without an epoch.
        run: of the last frame or page that it believed; empty without an epoch. A server of another run whose log ended
            before ``after`` when the run began has an older log than the relay: it begins a new epoch.
        keep_s: how far back in time (seconds) the relay can use pushes, where it has to begin anew.
        keep_bytes: how many bytes of them at most.
    """

    epoch: str
    after: _Sequence
    run: str
    keep_s: Annotated[float, Meta(ge=0)]
    keep_bytes: Annotated[int, Meta(ge=0)]


class PageHeader(Struct, frozen=True):
    """
    What a page says of itself.

    Attributes:
        epoch: of the server's log.
        run: of the server.
        floor: the number before the first that the log still has.
        tail: the last number given.
        after: the number before the page's first: what was asked for, unless the log cannot be read from there.
        last: the number of the page's last; ``after`` for an empty page.
    """

    epoch: str
    run: str
    floor: _Sequence
    tail: _Sequence
    after: _Sequence
    last: _Sequence


class Page(Struct, frozen=True):
    """A page as it came: ``frames`` are of the bus, in order."""

    header: PageHeader
    frames: list[bytes]


class ReplayRefused(InvalidFrame):
    """The publish server does not understand the request; ``reason`` is its own."""


class _Refusal(Struct):
    reason: str


_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(ReplayRequest).decode
_decode_page = msgspec.json.Decoder(PageHeader).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode


def encode_request(request: ReplayRequest) -> bytes:
    """The one frame of a request."""
    return _REQUEST + _encode(request)


def decode_request(frame: bytes) -> ReplayRequest:
    """
    Read a request.

    Raises:
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: not a request.
    """
    kind, header, rest = split_frame(frame)
    if kind != b"replay" or rest is not None:
        raise InvalidFrame(f"{kind[:20]!r} is not a request for replay")
    try:
        return _decode_request(header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame(f"its header: {error}") from None


def encode_page(header: PageHeader, frames: Sequence[bytes]) -> list[bytes]:
    """The frames of an answer."""
    return [_PAGE + _encode(header), *frames]


def encode_refusal(reason: str) -> list[bytes]:
    """The answer to a request that is not understood."""
    return [_REFUSED + _encode(_Refusal(reason))]


def decode_answer(frames: Sequence[bytes]) -> Page:
    """
    Read an answer.

    Raises:
        ReplayRefused: the server did not understand the request.
        UnknownProtocol: of a release that is too far from this one.
        InvalidFrame: not an answer.
    """
    if not frames:
        raise InvalidFrame("it is empty")
    kind, header, rest = split_frame(frames[0])
    try:
        if kind == b"refused" and rest is None:
            raise ReplayRefused(_decode_refusal(header).reason)
        if kind == b"page" and rest is None:
            return Page(_decode_page(header), list(frames[1:]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFrame(f"its header: {error}") from None
    raise InvalidFrame(f"{kind[:20]!r} is not a page")
