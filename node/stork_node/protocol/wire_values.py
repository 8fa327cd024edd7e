"""
Values that WAMP can carry to every client: JSON's values, and bytes if WAMP has them.

Crossbar would let more values of a CBOR session pass (dates, integers of any size), and then fail at a JSON client. So
a handler's result is checked here, and its author gets the error.
"""

import math
from typing import Any

from stork_node.protocol.push_limits import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER


def to_wire(value: Any, name: str, *, binary: bool = False) -> Any:
    """
    Copy ``value`` as it will arrive: tuples become lists; subclasses of ``str``, ``int``, ``float`` become plain
    values.

    Args:
        value: None, bool, integers from -2^63 to 2^64-1, finite floats, text, lists, tuples, dicts with text keys.
        name: the name of ``value`` in an error, such as ``private``.
        binary: whether ``bytes`` are allowed, too.

    Raises:
        TypeError: a value of another type; the text names its place, such as ``private['user']['id']``.
        ValueError: a number, text or depth beyond the limits of pushes.
    """
    return _copy(value, name, binary, MAX_DEPTH)


def _copy(value: Any, name: str, binary: bool, depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _text(value, name)
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise ValueError(f"{name} is beyond the integers from -2^63 to 2^64-1")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {float(value)}, which JSON does not have")
        return float(value)
    if isinstance(value, list | tuple | dict):
        if not depth:
            raise ValueError(f"{name} is nested deeper than {MAX_DEPTH}")
        if isinstance(value, dict):
            return {_key(k, name): _copy(v, f"{name}[{k!r}]", binary, depth - 1) for k, v in value.items()}
        return [_copy(v, f"{name}[{i}]", binary, depth - 1) for i, v in enumerate(value)]
    if binary and isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"{name} is of type {type(value).__name__}, which JSON does not have")


def _key(key: Any, name: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{name} has the key {key!r}, and JSON has text keys only")
    return _text(key, f"a key of {name}")


def _text(text: str, name: str) -> str:
    text = str.__str__(text)
    if text.startswith("\0"):
        raise ValueError(f"{name} begins with U+0000, which marks binary in WAMP's JSON")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds a lone surrogate, which UTF-8 does not have") from None
    return text
