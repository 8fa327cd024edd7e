"""Text of others in a log: one line of printable characters, of bounded size, whatever it was."""

import json
import re
from collections.abc import Mapping
from typing import Any

MAX_LINE_BYTES = 2_048
"""The longest line of a log, with its time, its framing and its end."""

_MAX_TEXT_BYTES = 1_200
_MAX_FIELDS_BYTES = 500
_MAX_FIELD_BYTES = 200
_MAX_NAME_BYTES = 100
_COLOUR = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
# Of what is far too long, no more than this is looked at.
_LOOKED_AT = 4 * _MAX_TEXT_BYTES


def one_line(text: str, max_bytes: int = _MAX_TEXT_BYTES) -> str:
    """
    ``text`` as one line: its lines with `` | `` between them, without colours, and with escapes for what else is not
    printable: C0, C1, line and paragraph separators, marks of direction, lone surrogates. What is too long loses its
    middle: a traceback ends with what counts.
    """
    if len(text) > 2 * _LOOKED_AT:
        text = f"{text[:_LOOKED_AT]} … {text[-_LOOKED_AT:]}"
    if not text.isprintable():
        lines = [line.strip() for line in _COLOUR.sub("", text).splitlines()]
        text = _printable(" | ".join(line for line in lines if line))
    return cut(text.rstrip(), max_bytes)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def cut(text: str, max_bytes: int) -> str:
    """``text``, in as many bytes of JSON at most; where it is longer, without its middle."""
    size = _json_bytes(text)
    if size <= max_bytes:
        return text
    note = f" … ({len(text):,} characters) … "
    room = max_bytes - len(note.encode())
    return _fit(text, room * 3 // 5) + note + _fit(text[::-1], room * 2 // 5)[::-1]


def _fit(text: str, max_bytes: int) -> str:
    """The beginning of ``text`` that is so long in JSON."""
    used = 0
    for at, character in enumerate(text):
        used += _json_bytes(character)
        if used > max_bytes:
            return text[:at]
    return text


def _json_bytes(text: str) -> int:
    return len(text.encode(errors="replace")) + text.count('"') + text.count("\\")


def name(text: str) -> str:
    """The name of a logger, as an application may make it up."""
    return one_line(text, _MAX_NAME_BYTES)


def fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a line: plain values as they are, all others as text; no more than fits."""
    found: dict[str, Any] = {}
    room = _MAX_FIELDS_BYTES
    for key, value in given.items():
        short = value if isinstance(value, bool | None) or _is_short(value) else one_line(str(value), _MAX_FIELD_BYTES)
        pair = {name(str(key)): short}
        room -= len(json.dumps(pair, ensure_ascii=False).encode())
        if room < 0:
            break
        found |= pair
    return found


def _is_short(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= 64)
