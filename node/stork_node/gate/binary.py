"""
Reads MessagePack and CBOR into plain data: one pass over the bytes, which counts as it reads.

A format is a table with the meaning of each of the 256 first bytes. A list or map begins with its number of elements.
They are counted before the first of them is read, so a message above a bound is refused there.
"""

import struct
from collections.abc import Callable, Sequence
from enum import Enum, auto
from math import isfinite
from sys import getsizeof
from typing import Any

from stork_node.gate.bounds import Bounds, Unreadable, too_deep, too_many
from stork_node.protocol.push_limits import MIN_INTEGER


class Kind(Enum):
    """The meaning of a first byte. Its argument is a number: in the byte itself, or in the bytes after it."""

    VALUE = auto()
    """The byte alone is a value."""
    INTEGER = auto()
    """The argument is the value."""
    SIGNED = auto()
    """The argument is the value, in two's complement."""
    NEGATIVE = auto()
    """The value is -1 minus the argument."""
    FLOAT = auto()
    """The bytes of the argument are a number of IEEE 754."""
    TEXT = auto()
    BYTES = auto()
    """The argument is the number of bytes."""
    LIST = auto()
    MAP = auto()
    """The argument is the number of elements, or entries."""
    ENDLESS = auto()
    """A list, map, text or bytes (the argument says which kind) up to an END."""
    END = auto()
    UNDEFINED = auto()
    """The argument is the extension type of MessagePack, and its byte: type 0 with 0 stands for undefined."""
    REFUSED = auto()
    """Not plain data; the argument names it."""


Head = tuple[Kind, int, Any]
"""The kind of a first byte, the number of its argument's bytes, and the argument if there are none."""

# Enum members as globals: the loop compares them for each token.
_VALUE, _INTEGER, _SIGNED, _NEGATIVE, _FLOAT = Kind.VALUE, Kind.INTEGER, Kind.SIGNED, Kind.NEGATIVE, Kind.FLOAT
_UNDEFINED = Kind.UNDEFINED
_TEXT, _BYTES, _LIST, _MAP, _ENDLESS, _END = Kind.TEXT, Kind.BYTES, Kind.LIST, Kind.MAP, Kind.ENDLESS, Kind.END

EXTENSION = "it has an extension type of MessagePack"
_FLOATS: dict[int, Callable[[bytes, int], tuple[float, ...]]] = {
    size: struct.Struct(layout).unpack_from for size, layout in ((2, ">e"), (4, ">f"), (8, ">d"))
}

# Bytes of memory (CPython 3.11, 64 bits): a number, an empty list, a map with room for five entries, a reference in
# each.
_NUMBER_BYTES, _LIST_BYTES, _MAP_BYTES, _PLACE_BYTES, _ENTRY_BYTES = 32, 120, 240, 10, 60
# Maximum memory for a message: 64 KiB and 40 bytes for each of its bytes, less a rest for the code around it.
_FREE_BYTES, _BYTES_PER_BYTE = 40 * 1024, 34


def read_binary(message: bytes, bounds: Bounds, heads: Sequence[Head]) -> Any:
    """
    Read a message as one value.

    Args:
        heads: one for each of the 256 bytes.

    Raises:
        Unreadable: not plain data, incomplete, with bytes after it, or above a bound.
    """
    try:
        value, position = _read(message, bounds, heads)
    except (IndexError, struct.error):
        raise Unreadable("it is cut short") from None
    except UnicodeDecodeError:
        raise Unreadable("a text is no UTF-8") from None
    if position != len(message):
        raise Unreadable("something follows its end")
    return value


def _read(message: bytes, bounds: Bounds, heads: Sequence[Head]) -> tuple[Any, int]:
    """The first value, and the position after it."""
    position, end, to_integer = 0, len(message), int.from_bytes
    elements, memory = bounds.max_elements, _FREE_BYTES + _BYTES_PER_BYTE * end
    # The values that are being read: kind, number of missing elements (below zero: endless), and the elements so far.
    kind_around, left = _LIST, 1
    values: list[Any] = []
    around: list[tuple[Kind, int, list[Any]]] = []
    while True:
        if not left:
            if not around:
                _check_spent(elements, memory, bounds)
                return values[0], position
            value = values if kind_around is _LIST else _assemble(kind_around, values)
            kind_around, left, values = around.pop()
            values.append(value)
            continue
        left -= 1
        kind, size, argument = heads[message[position]]
        position += 1
        if kind is _VALUE:
            values.append(argument)
            continue
        if kind is _FLOAT:
            (value,) = _FLOATS[size](message, position)
            if bounds.is_finite and not isfinite(value):
                raise Unreadable("a number is not finite")
            position += size
            memory -= _NUMBER_BYTES
            values.append(value)
            continue
        if size:
            behind = position + size
            argument = to_integer(message[position:behind], "big", signed=kind is _SIGNED)
            position = behind
        if kind is _TEXT or kind is _BYTES:
            behind = position + argument
            piece = message[position:behind]
            value = piece.decode() if kind is _TEXT else piece
            position = behind
            memory -= getsizeof(value)
        elif kind is _INTEGER or kind is _SIGNED:
            value = argument
            memory -= _NUMBER_BYTES
        elif kind is _NEGATIVE:
            value = -1 - argument
            memory -= _NUMBER_BYTES
            if value < MIN_INTEGER:
                raise Unreadable("an integer is beyond 64 bits")
        elif kind is _UNDEFINED and argument == 0:
            value = None
        elif kind is _END and left < 0:
            elements -= len(values)
            memory -= _ENTRY_BYTES * len(values)
            _check_spent(elements, memory, bounds)
            left = 0
            continue
        elif kind is _LIST or kind is _MAP or kind is _ENDLESS:
            if len(around) >= bounds.max_depth:
                raise too_deep(bounds)
            around.append((kind_around, left, values))
            values = []
            if kind is _LIST:
                left = argument
                memory -= _LIST_BYTES + _PLACE_BYTES * argument
            elif kind is _MAP:
                left = 2 * argument
                memory -= _MAP_BYTES + (_ENTRY_BYTES * argument if argument > 5 else 0)
            else:
                kind, left = argument, -1
                memory -= _MAP_BYTES
            kind_around = kind
            elements -= max(left, 0)
            _check_spent(elements, memory, bounds)
            continue
        else:
            if kind is _UNDEFINED:
                raise Unreadable(EXTENSION)
            raise Unreadable(argument or "it ends before its last element")
        if position > end:
            raise Unreadable("it is cut short")
        values.append(value)


def _check_spent(elements: int, memory: int, bounds: Bounds) -> None:
    if elements < 0:
        raise too_many(bounds)
    if memory < 0:
        raise Unreadable("its values need too much memory for its size")


def _assemble(kind: Kind, values: list[Any]) -> Any:
    """Make a map of its alternating keys and values, or a text or bytes of their pieces."""
    if kind is _MAP:
        keys = values[::2]
        if len(values) % 2 or not _are(str, keys):
            raise Unreadable("a key is no text")
        return dict(zip(keys, values[1::2], strict=True))
    wanted = str if kind is _TEXT else bytes
    if not _are(wanted, values):
        raise Unreadable("a text in pieces has a piece of another type")
    return wanted().join(values)


def _are(wanted: type, values: list[Any]) -> bool:
    return set(map(type, values)) <= {wanted}
