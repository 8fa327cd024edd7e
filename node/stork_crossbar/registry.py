"""
The components of this process that are running: what the operator's port looks at, and what retires with the process.

Crossbar gives components of one process no way to each other but WAMP, and whether that works is what health must tell.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from stork_node.process_state import the


@dataclass
class Components:
    """
    Attributes:
        started: by class; there is one of each in a process.
        predecessors: the session ids of the components of the process that this one takes over from.
        finishing: what waits for what has begun, once this process takes nothing more.
    """

    started: dict[type, Any] = field(default_factory=dict)
    predecessors: set[int] = field(default_factory=set)
    finishing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


def announce(component: Any) -> None:
    """``component`` has started."""
    the(Components).started[type(component)] = component


def find(component_class: type) -> Any:
    """The component of this class, or of one that a user has made of it; None where none has started here."""
    started = the(Components).started
    return started.get(component_class) or next((c for c in started.values() if isinstance(c, component_class)), None)


def session_ids() -> list[int]:
    """Those of all components of this process."""
    return [component.session_id for component in the(Components).started.values()]


def follow_on(session_ids: Iterable[int]) -> None:
    """This process takes over from the one whose components have these sessions."""
    the(Components).predecessors.update(session_ids)


def predecessors() -> set[int]:
    """The session ids of the process that this one takes over from."""
    return the(Components).predecessors


async def retire() -> None:
    """Let every component of this process take nothing more."""
    for component in list(the(Components).started.values()):
        await component.retire()


def finish_by(finish: Callable[[], Awaitable[None]]) -> None:
    """Have ``finish`` called when this process takes nothing more: it waits for what has begun."""
    the(Components).finishing.append(finish)


async def finish() -> None:
    """Wait for what has begun in this process."""
    for one in the(Components).finishing:
        await one()
