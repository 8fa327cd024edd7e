"""Checks that what is private to Crossbar or autobahn is as it was in the versions that our code was written for."""

import inspect
from collections.abc import Callable
from typing import Any


class Incompatible(Exception):
    """It is not; the text says what."""


def require_signature(function: Callable[..., Any], *parameters: str) -> None:
    """
    Raises:
        Incompatible: ``function`` takes other parameters than these.
    """
    if tuple(inspect.signature(function).parameters) != parameters:
        raise Incompatible(f"{function.__qualname__} takes other parameters")
