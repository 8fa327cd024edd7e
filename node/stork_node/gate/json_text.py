"""
WAMP's JSON as plain data. Levels, elements and digits are counted in the bytes, in C, before a parser sees them.

A string that begins with U+0000 is base64, and stands for bytes (WAMP, "Binary conversion of JSON strings").
"""

import binascii
import re
from typing import Any

import msgspec

from stork_node.gate.bounds import MAX_INTEGER, MIN_INTEGER, Bounds, Unreadable, too_deep, too_many

# A string, or what an unfinished one leaves at the end: whatever the text, each byte is looked at once.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?+\Z)', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_LONG_NUMBER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}+(?![.eE])")
_MAX_DIGITS = 20
_BYTES_MARK = b'"\\u0000'

_decode = msgspec.json.Decoder().decode


def read_json(message: bytes, bounds: Bounds) -> Any:
    """
    Raises:
        Unreadable: not JSON, not UTF-8, an integer beyond 64 bits, or over one of ``bounds``.
    """
    bounds.check_size(len(message))
    opened = message.count(b"[") + message.count(b"{")
    if opened > bounds.max_depth or opened + message.count(b",") + message.count(b":") >= bounds.max_elements:
        _check_structure(_STRING.sub(b'""', message), bounds)
    _check_integers(message)
    try:
        value = _decode(message)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON ({error})"[:100]) from None
    return _with_bytes(value) if _BYTES_MARK in message else value


def _check_structure(skeleton: bytes, bounds: Bounds) -> None:
    elements = 1 + sum(map(skeleton.count, (b"[", b"{", b",", b":")))
    if elements > bounds.max_elements:
        raise too_many(bounds)
    depth = 0
    for bracket in _BRACKET.findall(skeleton):
        depth += 1 if bracket in b"[{" else -1
        if depth > bounds.max_depth:
            raise too_deep(bounds)


def _check_integers(message: bytes) -> None:
    if not _LONG_NUMBER.search(message):
        return
    for found in _LONG_NUMBER.finditer(_STRING.sub(b'""', message)):
        digits = found[0].removeprefix(b"-")
        # Longer ones are not converted: that takes the square of their length.
        if len(digits) > _MAX_DIGITS or not MIN_INTEGER <= int(found[0]) <= MAX_INTEGER:
            raise Unreadable("an integer is beyond 64 bits")


def _with_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return _to_bytes(value) if value.startswith("\0") else value
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if isinstance(value, dict):
        return {key: _with_bytes(each) for key, each in value.items()}
    return value


def _to_bytes(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text[1:], strict_mode=True)
    except ValueError:  # not ASCII, or not base64
        raise Unreadable("a text that begins with U+0000 is no base64") from None
