"""Checks that what is private to Crossbar or autobahn is as it was in the versions that our code was written for."""

import inspect
from collections.abc import Callable
from typing import Any


class NotAsKnown(Exception):
    """It is not; the text says what."""


def expect(function: Callable[..., Any], *parameters: str) -> None:
    """
    Raises:
        NotAsKnown: ``function`` takes other parameters than these.
    """
    if tuple(inspect.signature(function).parameters) != parameters:
        raise NotAsKnown(f"{function.__qualname__} takes other parameters")
