"""
The components of this process that are running: what the operator's port looks at, and what retires with the process.

Crossbar gives components of one process no way to each other but WAMP, and whether that works is what health must tell.
"""

from collections.abc import Awaitable, Callable
from typing import Any

_running: dict[type, Any] = {}
_finishing: list[Callable[[], Awaitable[None]]] = []

# The session ids of the components of the process that this one takes over from.
predecessors: set[int] = set()


def announce(component: Any) -> None:
    """``component`` has started; there is one of each class in a process."""
    _running[type(component)] = component


def find(component_class: type) -> Any:
    """The component of this class, or of one that a user has made of it; None where none has started here."""
    return _running.get(component_class) or next((c for c in _running.values() if isinstance(c, component_class)), None)


def session_ids() -> list[int]:
    """Those of all components of this process."""
    return [component.session_id for component in _running.values()]


async def retire() -> None:
    """Let every component of this process take nothing more."""
    for component in list(_running.values()):
        await component.retire()


def finish_by(finish: Callable[[], Awaitable[None]]) -> None:
    """Have ``finish`` called when this process takes nothing more: it waits for what has begun."""
    _finishing.append(finish)


async def finish() -> None:
    """Wait for what has begun in this process."""
    for one in _finishing:
        await one()
