"""
What must not reach a parser, or go on to the application: clients can send more than routers can take.

autobahn's JSON decoder is Python: it takes minutes, and writes megabytes of traceback, for a frame of nothing but
brackets. A lone surrogate cannot be written again, so that Crossbar never answers what quotes it. And the decoder of
the application process gives up on deep CBOR, and its connection with it.
"""

import re
import sys
from typing import Any

# A push's data may have 100 levels (DELIVERY); a message of WAMP has a few more around it.
MAX_LEVELS = 110

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED_BACKSLASH = re.compile(rb"\\\\")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


# Python's own. Something that Crossbar imports (py_ecc) sets 100,000, more than a thread's stack holds: what should be
# a RecursionError, of a parser in C, is the end of the process then.
_RECURSION_LIMIT = 1_000


def limit_recursion() -> None:
    """Have what is nested too deep raise RecursionError again; to be called after Crossbar has been imported."""
    sys.setrecursionlimit(_RECURSION_LIMIT)


def json_fault(payload: bytes) -> str | None:
    """What is wrong with a JSON message that must not reach the parser; None where nothing is."""
    if _levels_exceed(payload):
        return f"more than {MAX_LEVELS} levels"
    if _SURROGATE.search(payload):
        rest = _SURROGATE_PAIR.sub(b"", _ESCAPED_BACKSLASH.sub(b"", payload))
        if _SURROGATE.search(rest):
            return "a lone surrogate"
    return None


def _levels_exceed(payload: bytes) -> bool:
    if payload.count(b"[") + payload.count(b"{") <= MAX_LEVELS:
        return False
    level = 0
    for character in _STRING.sub(b"", payload):
        if character in b"[{":
            level += 1
            if level > MAX_LEVELS:
                return True
        elif character in b"]}":
            level -= 1
    return False


def nests_deeper(value: Any, levels: int = MAX_LEVELS) -> bool:
    """Whether objects and arrays lie in each other in more than ``levels`` levels."""
    containers = [value] if isinstance(value, dict | list | tuple) else []
    while containers and levels:
        levels -= 1
        containers = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list | tuple)
        ]
    return bool(containers)
