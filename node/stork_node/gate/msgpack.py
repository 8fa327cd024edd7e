"""
MessagePack as plain data: without extension types, which stand for objects, and with text keys only.

One is read: type 0 with the one byte 0. JavaScript's libraries write undefined so, and clients send it in options.
"""

from typing import Any

from stork_node.gate.binary import EXTENSION, Head, Kind, read_binary
from stork_node.gate.bounds import Bounds

_EXTENSION: Head = (Kind.REFUSED, 0, EXTENSION)


def read_msgpack(message: bytes, bounds: Bounds) -> Any:
    """
    Raises:
        Unreadable: not MessagePack, an extension type, a key that is no text, or over one of ``bounds``.
    """
    bounds.check_size(len(message))
    return read_binary(message, bounds, _HEADS)


_HEADS: list[Head] = [
    *((Kind.VALUE, 0, number) for number in range(128)),
    *((Kind.MAP, 0, count) for count in range(16)),  # from 0x80
    *((Kind.LIST, 0, count) for count in range(16)),
    (Kind.VALUE, 0, ""),  # 0xa0
    *((Kind.TEXT, 0, size) for size in range(1, 32)),
    (Kind.VALUE, 0, None),  # 0xc0
    (Kind.REFUSED, 0, "it is no MessagePack"),
    (Kind.VALUE, 0, False),
    (Kind.VALUE, 0, True),
    *((Kind.BYTES, size, None) for size in (1, 2, 4)),
    *[_EXTENSION] * 3,  # from 0xc7
    *((Kind.FLOAT, size, None) for size in (4, 8)),
    *((Kind.INTEGER, size, None) for size in (1, 2, 4, 8)),  # from 0xcc
    *((Kind.SIGNED, size, None) for size in (1, 2, 4, 8)),
    (Kind.UNDEFINED, 2, None),  # 0xd4
    *[_EXTENSION] * 4,
    *((Kind.TEXT, size, None) for size in (1, 2, 4)),
    *((Kind.LIST, size, None) for size in (2, 4)),  # from 0xdc
    *((Kind.MAP, size, None) for size in (2, 4)),
    *((Kind.VALUE, 0, number) for number in range(-32, 0)),  # from 0xe0
]
