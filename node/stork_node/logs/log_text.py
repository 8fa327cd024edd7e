"""Makes text of others safe for a log: one line of printable characters, of bounded size."""

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
# Of a text that is far too long, only this much is read.
_LOOKED_AT = 4 * _MAX_TEXT_BYTES


def one_line(text: str, max_bytes: int = _MAX_TEXT_BYTES) -> str:
    """
    ``text`` as one line: its lines are joined with `` | ``, colours are removed, and unprintable characters are escaped
    (C0, C1, line and paragraph separators, marks of direction, lone surrogates). A text that is too long loses its
    middle, because the end of a traceback matters.
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
    """``text`` with at most ``max_bytes`` bytes of JSON; a longer text loses its middle."""
    size = _json_bytes(text)
    if size <= max_bytes:
        return text
    note = f" … ({len(text):,} characters) … "
    room = max_bytes - len(note.encode())
    return _fit(text, room * 3 // 5) + note + _fit(text[::-1], room * 2 // 5)[::-1]


def _fit(text: str, max_bytes: int) -> str:
    """The beginning of ``text`` with at most ``max_bytes`` bytes of JSON."""
    used = 0
    for at, character in enumerate(text):
        used += _json_bytes(character)
        if used > max_bytes:
            return text[:at]
    return text


def _json_bytes(text: str) -> int:
    return len(text.encode(errors="replace")) + text.count('"') + text.count("\\")


def name(text: str) -> str:
    """The name of a logger, which an application may have made up."""
    return one_line(text, _MAX_NAME_BYTES)


def fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a line: plain values unchanged, others as text, up to a maximum size."""
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
