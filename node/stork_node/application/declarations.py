"""The declarations of an application: its handlers by name, each with its location in the code."""

import inspect
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from stork_node.errors import DeclarationError

if TYPE_CHECKING:
    from stork_node.application.feeds import Feed, Verifier
    from stork_node.application.rpc import Procedure

K = TypeVar("K")
V = TypeVar("V")

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A line of the application's code, or a place in config.json (then ``line`` is 0)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    @classmethod
    def of_caller(cls) -> Self:
        """The line outside this library that is running."""
        frame = sys._getframe(1)
        while frame.f_back and Path(frame.f_code.co_filename).is_relative_to(_PACKAGE):
            frame = frame.f_back
        return cls(frame.f_code.co_filename, frame.f_lineno)


@dataclass(frozen=True, slots=True)
class Handler:
    """
    A function of the application.

    ``kind`` is its purpose, such as ``verifier``. ``title`` is a name in place of the function's.
    """

    kind: str
    function: Callable[..., Any]
    location: SourceLocation
    title: str = ""

    @classmethod
    def declare(cls, kind: str, function: Callable[..., Any], *arguments: str) -> Self:
        """
        Check a function that will be called with ``arguments`` (the names are for the error only).

        Raises:
            DeclarationError: not a function, or it does not take these arguments.
        """
        location = SourceLocation.of_caller()
        if not callable(function):
            raise DeclarationError(f"{location}: {function!r} is not a function, and cannot be a {kind}")
        handler = cls(kind, function, location)
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError:
            raise DeclarationError(
                f"{location}: the {kind} {handler.name} is called with ({', '.join(arguments)}), "
                "and does not take these arguments"
            ) from None
        except ValueError:  # some C functions have no signature
            pass
        return handler

    @property
    def name(self) -> str:
        return self.title or str(getattr(self.function, "__qualname__", None) or repr(self.function))

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.location})"


@dataclass
class Declarations:
    """All declarations of one ``Stork``: ``feeds`` by (version, name), ``procedures`` by URI."""

    authenticator: Handler | None = None
    feeds: "dict[tuple[str, str], Feed]" = field(default_factory=dict)
    verifiers: "dict[str, Verifier]" = field(default_factory=dict)
    procedures: "dict[str, Procedure]" = field(default_factory=dict)
    on_join: list[Handler] = field(default_factory=list)
    on_leave: list[Handler] = field(default_factory=list)
    on_online: list[Handler] = field(default_factory=list)
    on_offline: list[Handler] = field(default_factory=list)
    on_start: list[Handler] = field(default_factory=list)
    on_stop: list[Handler] = field(default_factory=list)

    @property
    def decides_joins(self) -> bool:
        """Whether the application says who may join. If not, it leaves that to a backend."""
        return self.authenticator is not None

    @property
    def decides_subscriptions(self) -> bool:
        """Whether it says who may subscribe. One with neither authenticator nor feeds leaves that to a backend."""
        return self.decides_joins or bool(self.feeds)


def declared_twice(what: str, first: SourceLocation, second: SourceLocation) -> DeclarationError:
    return DeclarationError(f"{what} is declared twice: {first} and {second}")


def declare_once(
    declared: MutableMapping[K, V], key: K, value: V, what: str, locations: Callable[[V], SourceLocation]
) -> None:
    """
    Raises:
        DeclarationError: ``key`` is declared already; names both locations.
    """
    if key in declared:
        raise declared_twice(what, locations(declared[key]), locations(value))
    declared[key] = value
