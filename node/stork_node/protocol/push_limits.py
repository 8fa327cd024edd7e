"""
Limits of a push beyond JSON's own: exact checks on the bytes of one JSON text that is known to be well-formed.

They run in linear time and without recursion, on tokens, not on decoded values. So they also check a value that a
repeated key hides: clients get it as well.
"""

import re
from itertools import accumulate

MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1
MAX_DEPTH = 100
"""Of data, at most: what a publish server may be set to accept, and every relay takes."""
DEFAULT_DEPTH = 28
"""
What it accepts unless told otherwise. The usual decoders of other WAMP clients stop between 32 and 100 levels. An event
has 3 levels more than its data, and an answer of ``recover`` 6.
"""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_LONG_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}+(?![.eE])")
_EXACT = 2**53
_SIXTEEN_DIGITS = b"0" * 16  # an integer beyond 2^53 has at least as many
_POSSIBLY_ROUNDED = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{16,}+(?![.eE])")
_BRACKETS_TO_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # up or down a level, as signed bytes
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * 19  # an integer beyond 64 bits has at least as many digits
_NUL_STRING = b'"\\u0000'


def may_be_too_deep(text: bytes, depth: int) -> bool:
    """Whether ``text`` has more brackets than the allowed levels: False is certain."""
    return text.count(b"[") + text.count(b"{") > depth


def is_too_deep(text: bytes, depth: int) -> bool:
    """Whether arrays and objects are nested more than ``depth`` levels; a scalar is at level 0."""
    steps = _STRING.sub(b"", text).translate(_BRACKETS_TO_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > depth


def may_have_wide_integer(text: bytes) -> bool:
    """Whether ``text`` has enough digits in a row for an integer beyond 64 bits: False is certain."""
    return _MANY_DIGITS in text.translate(_DIGITS_TO_ZERO)  # measured: twenty times as fast as a regular expression


def has_wide_integer(text: bytes) -> bool:
    """Whether an integer lies outside of -2^63 to 2^64-1. ``1e30`` and ``1.0`` are doubles, not integers."""
    return any(
        # Longer numbers are not converted: the cost grows with the square of their length.
        len(number) > 20 or not MIN_INTEGER <= int(number) <= MAX_INTEGER
        for number in _LONG_INTEGER.findall(_STRING.sub(b'""', text))
    )


def rounded_integer(text: bytes) -> str:
    """The first integer beyond ±2^53, which JavaScript rounds; empty if there is none."""
    if _SIXTEEN_DIGITS not in text.translate(_DIGITS_TO_ZERO):
        return ""
    for number in _POSSIBLY_ROUNDED.findall(_STRING.sub(b'""', text)):
        if len(number) > 20 or abs(int(number)) > _EXACT:
            return str(number.decode())
    return ""


def may_have_nul_string(text: bytes) -> bool:
    """Whether ``text`` may have a string that begins with U+0000: False is certain (there is one escape for it)."""
    return _NUL_STRING in text


def has_nul_string(text: bytes) -> bool:
    """Whether a string or a key begins with U+0000."""
    return any(string.startswith(_NUL_STRING) for string in _STRING.findall(text))
