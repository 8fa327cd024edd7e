"""
Checks of the private functions of Crossbar, autobahn and Twisted: they must be as in the versions for which this code
was written.
"""

import inspect
from collections.abc import Callable
from typing import Any


class Incompatible(Exception):
    """A private name is not as expected; the text says how."""


def require_signature(function: Callable[..., Any], *parameters: str) -> None:
    """
    Raises:
        Incompatible: ``function`` takes other parameters than these.
    """
    if tuple(inspect.signature(function).parameters) != parameters:
        raise Incompatible(f"{function.__qualname__} takes other parameters")
