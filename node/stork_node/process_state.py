"""
What there is once in a process: found by its class, made when it is first asked for, and forgotten in one way.

Crossbar makes the components of a process, and gives them no way to each other but WAMP. What they share is here.
"""

from typing import Any, TypeVar

T = TypeVar("T")

_made: dict[type, Any] = {}


def the(kind: type[T]) -> T:
    """The one object of this class in this process; made without arguments where there is none yet."""
    found: T | None = _made.get(kind)
    # setdefault: of two threads that come first, both get the same.
    return found if found is not None else _made.setdefault(kind, kind())


def reset() -> None:
    """Forget all of it, so that each is made anew: for tests, after each one."""
    _made.clear()
