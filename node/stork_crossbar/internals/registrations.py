"""Looks up a procedure's registration in the router itself: private names of Crossbar, in one place."""

from collections.abc import Callable
from typing import Any


def look_up(component: Any) -> Callable[[str], int | None] | None:
    """
    A function from a procedure to the id of its registration, or to None if it has no callee now.

    None if ``component`` is not embedded in the router, or this Crossbar keeps registrations in another way.
    """
    try:
        find = component._transport._router._dealer._registration_map.get_observation
    except AttributeError:
        return None

    def registration_id(uri: str) -> int | None:
        registration = find(uri, "exact")
        return registration.id if registration and registration.observers else None

    return registration_id
