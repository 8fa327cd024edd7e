"""
The running components of this process: the operator's port reads them, and they retire with the process.

In Crossbar, components of one process reach each other only by WAMP; but health must tell whether WAMP works.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from stork_node.process_state import singleton


@dataclass
class Components:
    """
    Attributes:
        started: the components by class; a process has one of each.
        predecessors: the session ids of the components of the process that this one replaces.
        finishing: functions that wait for open calls, once this process takes no more.
    """

    started: dict[type, Any] = field(default_factory=dict)
    predecessors: set[int] = field(default_factory=set)
    finishing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


def announce(component: Any) -> None:
    """``component`` has started."""
    singleton(Components).started[type(component)] = component


def find(component_class: type) -> Any:
    """The component of this class or a subclass; None if none has started here."""
    started = singleton(Components).started
    return started.get(component_class) or next((c for c in started.values() if isinstance(c, component_class)), None)


def named(classname: str) -> Any:
    """The component that config.json calls so; None if it has not started here."""
    started = singleton(Components).started.values()
    return next((c for c in started if f"{type(c).__module__}.{type(c).__qualname__}" == classname), None)


def session_ids() -> list[int]:
    """The session ids of all components of this process."""
    return [component.session_id for component in singleton(Components).started.values()]


def follow_on(session_ids: Iterable[int]) -> None:
    """This process replaces the one whose components have these sessions."""
    singleton(Components).predecessors.update(session_ids)


def predecessors() -> set[int]:
    """The session ids of the process that this one replaces."""
    return singleton(Components).predecessors


async def retire() -> None:
    """Let every component of this process take no more calls."""
    for component in list(singleton(Components).started.values()):
        await component.retire()


def finish_by(finish: Callable[[], Awaitable[None]]) -> None:
    """Call ``finish`` when this process takes no more calls; it waits for the open ones."""
    singleton(Components).finishing.append(finish)


async def finish() -> None:
    """Wait for the open calls of this process."""
    for one in singleton(Components).finishing:
        await one()
