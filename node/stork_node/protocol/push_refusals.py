"""The reasons why a frame is no push document, in one sentence: "field: what is wrong"."""

import json
import re
from typing import NoReturn

import msgspec

_QUOTED_CHARACTERS = 80
_KEYS = "topics, type, data, timestamp, id, exclude, store, receipt"
_PHP_SERIALIZED = re.compile(rb'(?:a:[0-9]+:\{|[OC]:[0-9]+:"|s:[0-9]+:"|i:-?[0-9]+;|d:[-+.0-9A-Z]+;|b:[01];|N;)')
_WRONG_VALUE = re.compile(r"Expected `(\w+)`(.*?)(?: - at `\$\.?(.*)`)?")
_WIDE_NUMBER = re.compile(r"(?:Integer value|Number) out of range - at `\$\.(.*)`")
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING_KEY = re.compile(r"Object missing required field `(.*)`")
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


def too_deep(depth: int) -> str:
    return f"data: nested more than {depth} levels"


def kind_of(reason: str) -> str:
    """The field of a reason, for counting: ``topics`` for "topics[3]: 'x' is not a topic"."""
    return reason.partition(":")[0].partition("[")[0]


def shorten(text: str) -> str:
    """``text`` quoted, on one line, and cut if it is long: reasons go into answers and logs."""
    return repr(text) if len(text) <= _QUOTED_CHARACTERS else f"{text[:_QUOTED_CHARACTERS]!r}…"


def explain_refusal(
    frame: bytes,
    error: msgspec.DecodeError | UnicodeDecodeError | RecursionError,
    depth: int,
    keys: str = _KEYS,
) -> str:
    """
    The reason why ``frame`` is refused, from the ``error`` of its decoding.

    Args:
        depth: that allowed of data.
        keys: those that the document may have.
    """
    if _PHP_SERIALIZED.match(frame):
        return "PHP: this looks like PHP serialize() from Virge::Stork: use the PHP class of node/php"
    if isinstance(error, UnicodeDecodeError):
        return f"frame: invalid UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return too_deep(depth)
    if isinstance(error, msgspec.ValidationError):
        return _explain_value(str(error), keys)
    if _is_json(frame):  # json accepts lone surrogates, msgspec does not
        return "frame: a string holds a lone surrogate"
    cause = str(error).removeprefix("JSON is malformed: ")
    return f"frame: not JSON: {'it ends too early' if cause == 'Input data was truncated' else cause}"


def _explain_value(message: str, keys: str) -> str:
    if found := _UNKNOWN_KEY.fullmatch(message):
        return f"key: {shorten(found[1])} is not one of {keys}"
    if found := _MISSING_KEY.fullmatch(message):
        return f"{found[1]}: missing"
    if found := _WRONG_VALUE.fullmatch(message):
        # " of length <= 255" and " >= 1" are msgspec's texts for limits, ", got `null`" for another type.
        return f"{found[3] or 'frame'}: expected {_WORDS.get(found[1], found[1])}{found[2].replace('`', '')}"
    if found := _WIDE_NUMBER.fullmatch(message):
        return f"{found[1]}: a number is out of range"
    return f"frame: {message}"


def _is_json(frame: bytes) -> bool:
    try:
        json.loads(frame.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
