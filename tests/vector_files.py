"""
The cases in ``tests/vectors/*.json``, which the tests of Python, JavaScript and PHP read alike.

A file has a ``description``, and groups of cases; a case has a ``name``. An object of one key stands for a value that
is large or odd: ``{"$repeat": ["x", 300]}`` for a text, ``{"$numbered": ["v1.a.", 3]}`` for ``v1.a.0`` to ``v1.a.2``,
``{"$nested": 3}`` for ``[[[]]]``, ``{"$base64": "/w=="}`` for bytes, ``{"$join": [...]}`` for its items as one.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "vectors"


def cases(file: str, group: str) -> list[dict[str, Any]]:
    """The cases of one group of ``FILE.json``."""
    return [expand(case) for case in json.loads((FOLDER / f"{file}.json").read_text())[group]]


def vectors(file: str, group: str) -> pytest.MarkDecorator:
    """Run a test for each case of a group; the test takes it as ``case``."""
    found = cases(file, group)
    return pytest.mark.parametrize("case", found, ids=[case["name"] for case in found])


def expand(value: Any) -> Any:
    """``value`` with what is written in short as it is meant."""
    if isinstance(value, list):
        return [expand(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$repeat": [str(text), int(times)]}:
            return text * times
        case {"$numbered": [str(text), int(number)]}:
            return [f"{text}{i}" for i in range(number)]
        case {"$nested": int(levels)}:
            return json.loads("[" * levels + "]" * levels)
        case {"$base64": str(text)}:
            return base64.b64decode(text)
        case {"$join": list(items)}:
            parts = [expand(item) for item in items]
            return b"".join(map(as_bytes, parts)) if bytes in map(type, parts) else "".join(parts)
    return {key: expand(item) for key, item in value.items()}


def frame_of(case: dict[str, Any]) -> bytes:
    """The bytes of a case's ``frame``, or of its ``document`` as JSON."""
    return as_bytes(case["frame"]) if "frame" in case else json.dumps(case["document"]).encode()


def as_bytes(frame: str | bytes) -> bytes:
    """A frame as it travels; most are written as text."""
    return frame.encode() if isinstance(frame, str) else frame
