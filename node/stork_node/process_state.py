"""
The singletons of a process: found by their class, made at the first use, and all reset together.

Crossbar makes the components of a process, and lets them reach each other only by WAMP. Shared objects are here.
"""

from typing import Any, TypeVar

T = TypeVar("T")

_made: dict[type, Any] = {}


def singleton(kind: type[T]) -> T:
    """The singleton of this class in this process; made without arguments at the first use."""
    found: T | None = _made.get(kind)
    # setdefault: two threads that come first get the same object.
    return found if found is not None else _made.setdefault(kind, kind())


def reset() -> None:
    """Forget all singletons; tests call this after each test."""
    _made.clear()
