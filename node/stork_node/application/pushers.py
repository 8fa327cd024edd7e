"""The publishers of an application: a node or a test connects it to them."""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Protocol, Unpack

from stork_node.clients.push_options import PushOptions
from stork_node.errors import StorkError
from stork_node.protocol.commands.results import CommandOptions, CommandResult


class NotRunning(StorkError):
    """An application that runs neither in a node nor in an ``AppTester``, and so cannot push."""

    def __init__(self) -> None:
        super().__init__(
            "this application is not running: it can push from its handlers in a node, "
            "and in a test with stork_node.testing.AppTester (elsewhere, use stork_node.Publisher)"
        )


class BlockingPusher(Protocol):
    """The type of ``Stork.publisher``: a ``stork_node.Publisher``, or a test's recorder."""

    def push(self, topics: str | Iterable[str], type: str, data: Any = ..., **options: Unpack[PushOptions]) -> str: ...

    def push_many(self, pushes: Iterable[Any]) -> Sequence[str]: ...

    def position(self) -> str: ...

    def command(self, kind: str, /, **options: Unpack[CommandOptions]) -> CommandResult: ...


class AsyncPusher(Protocol):
    """The type of ``Stork.async_publisher``: a ``stork_node.AsyncPublisher``, or a test's recorder."""

    def push(
        self, topics: str | Iterable[str], type: str, data: Any = ..., **options: Unpack[PushOptions]
    ) -> Awaitable[str]: ...

    def push_many(self, pushes: Iterable[Any]) -> Awaitable[Sequence[str]]: ...

    def position(self) -> Awaitable[str]: ...

    def command(self, kind: str, /, **options: Unpack[CommandOptions]) -> Awaitable[CommandResult]: ...
