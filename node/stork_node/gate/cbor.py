"""
CBOR (RFC 8949) as plain data: without tags, which stand for objects, references or big numbers, and with text keys
only.
"""

from typing import Any

from stork_node.gate.binary import Head, Kind, read_binary
from stork_node.gate.bounds import Bounds


def read_cbor(message: bytes, bounds: Bounds) -> Any:
    """
    Raises:
        Unreadable: not CBOR, a tag, an integer beyond 64 bits, a key that is no text, or over one of ``bounds``.
    """
    bounds.check_size(len(message))
    return read_binary(message, bounds, _HEADS)


_ARGUMENT_BYTES = (1, 2, 4, 8)
_INVALID: Head = (Kind.REFUSED, 0, "it is no CBOR")
_TAG: Head = (Kind.REFUSED, 0, "it has a tag of CBOR")
_SIMPLE: Head = (Kind.REFUSED, 0, "it has a simple value of CBOR that means nothing here")


def _major(kind: Kind, endless: Head = _INVALID) -> list[Head]:
    """The 32 first bytes of one major type: small arguments, longer arguments, three reserved bytes, the last."""
    return [
        *((kind, 0, argument) for argument in range(24)),
        *((kind, size, None) for size in _ARGUMENT_BYTES),
        *[_INVALID] * 3,
        endless,
    ]


def _endless(kind: Kind) -> list[Head]:
    return _major(kind, (Kind.ENDLESS, 0, kind))


_HEADS: list[Head] = [
    *((Kind.VALUE, 0, number) for number in range(24)),
    *_major(Kind.INTEGER)[24:],
    *((Kind.VALUE, 0, -1 - number) for number in range(24)),  # from 0x20
    *_major(Kind.NEGATIVE)[24:],
    *_endless(Kind.BYTES),  # from 0x40
    *_endless(Kind.TEXT),
    *_endless(Kind.LIST),  # from 0x80
    *_endless(Kind.MAP),
    *[_TAG] * 32,  # from 0xc0
    *[_SIMPLE] * 20,
    *((Kind.VALUE, 0, value) for value in (False, True, None, None)),  # from 0xf4; the last is undefined
    _SIMPLE,
    *((Kind.FLOAT, size, None) for size in (2, 4, 8)),  # from 0xf9
    *[_INVALID] * 3,
    (Kind.END, 0, None),
]
