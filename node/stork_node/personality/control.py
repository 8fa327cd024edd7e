"""The node's end of its control socket (``stork_node.control``): takes one command from each connection."""

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import defer, unix
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

from stork_node import control
from stork_node.errors import StorkError


class _Connection(LineOnlyReceiver):
    delimiter = b"\n"
    MAX_LENGTH = 1_000

    def __init__(self, reload: Callable[[Callable[[str], None]], Awaitable[str]]) -> None:
        self._reload, self._is_asked = reload, False

    def lineReceived(self, line: bytes) -> None:
        if line != control.RELOAD:
            self._end("error", "there is no such command")
        elif not self._is_asked:
            self._is_asked = True
            defer.ensureDeferred(self._answer())

    async def _answer(self) -> None:
        try:
            self._end("done", await self._reload(lambda text: self._say("progress", text)))
        except StorkError as error:
            self._end("error", str(error))

    def _say(self, kind: str, text: str) -> None:
        self.transport.write(control.encode(kind, text))

    def _end(self, kind: str, text: str) -> None:
        self._say(kind, text)
        self.transport.loseConnection()


class _QuietPort(unix.Port):
    """Twisted has a line for the end of each port, for which nobody has asked."""

    def _logConnectionLostMsg(self) -> None:
        pass


def listen(reactor: Any, path: Path, reload: Callable[[Callable[[str], None]], Awaitable[str]]) -> None:
    """Serve at ``path`` until the reactor stops. ``reload`` gets what takes progress, and returns how it went."""
    factory = Factory.forProtocol(lambda: _Connection(reload))
    factory.noisy = False
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # of a node that had the same process id
    _QuietPort(str(path), factory, mode=0o600, reactor=reactor).startListening()
    reactor.addSystemEventTrigger("after", "shutdown", path.unlink, missing_ok=True)
