"""
WAMP's JSON as plain data. Levels, elements and digits are counted in the bytes, in C, before the parser runs.

A string that begins with U+0000 is base64, and stands for bytes (WAMP, "Binary conversion of JSON strings").
"""

import binascii
import re
from typing import Any

import msgspec

from stork_node.gate.bounds import Bounds, Unreadable, too_deep, too_many
from stork_node.protocol.push_limits import MAX_INTEGER, MIN_INTEGER

# Counted are strings (an unfinished one goes on to the end, so that each byte is read once), brackets, separators of
# elements, and numbers that may be integers beyond 64 bits.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?+\Z)'
_LONG_NUMBER = rb"(?<![0-9.eE+-])-?[0-9]{19,}+(?![.eE])"
_TOKEN = re.compile(rb"%s|[\[\]{},:]|(%s)" % (_STRING, _LONG_NUMBER), re.DOTALL)
_has_long_number = re.compile(_LONG_NUMBER).search
_MAX_DIGITS = 20
_BYTES_MARK = b'"\\u0000'
_OPENING, _CLOSING, _BETWEEN = frozenset(b"[{"), frozenset(b"]}"), frozenset(b",:")

_decode = msgspec.json.Decoder().decode


def read_json(message: bytes, bounds: Bounds) -> Any:
    """
    Raises:
        Unreadable: not JSON, not UTF-8, an integer beyond 64 bits, or over one of ``bounds``.
    """
    bounds.check_size(len(message))
    opened = message.count(b"[") + message.count(b"{")
    elements = 1 + opened + message.count(b",") + message.count(b":")
    if opened > bounds.max_depth or elements > bounds.max_elements or _has_long_number(message):
        _check_tokens(message, bounds)
    try:
        value = _decode(message)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON ({error})"[:100]) from None
    return _with_bytes(value) if _BYTES_MARK in message else value


def _check_tokens(message: bytes, bounds: Bounds) -> None:
    depth, elements = 0, 1
    for token in _TOKEN.finditer(message):
        first = message[token.start()]
        if first in _OPENING:
            depth += 1
            elements += 1
            if depth > bounds.max_depth:
                raise too_deep(bounds)
        elif first in _CLOSING:
            depth -= 1
        elif first in _BETWEEN:
            elements += 1
        elif token[1]:
            _check_integer(token[1])
        if elements > bounds.max_elements:
            raise too_many(bounds)


def _check_integer(text: bytes) -> None:
    # Longer numbers are not converted: the cost grows with the square of their length.
    if len(text) > _MAX_DIGITS + 1 or not MIN_INTEGER <= int(text) <= MAX_INTEGER:
        raise Unreadable("an integer is beyond 64 bits")


def _with_bytes(value: Any) -> Any:
    """Replace texts that stand for bytes, in place: a copy would cost memory."""
    if isinstance(value, str):
        return _to_bytes(value) if value.startswith("\0") else value
    for key, each in enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ():
        if isinstance(each, str | list | dict):
            value[key] = _with_bytes(each)
    return value


def _to_bytes(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text[1:], strict_mode=True)
    except ValueError:  # not ASCII, or not base64
        raise Unreadable("a text that begins with U+0000 is no base64") from None
