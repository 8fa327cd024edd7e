"""The node's end of its control socket (``stork_node.launcher.control``): each connection brings one command."""

import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from zope.interface import implementer

from stork_node.errors import StorkError
from stork_node.launcher import control


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


@implementer(IReadDescriptor)
class _Listening:
    """A Unix socket in Twisted's reactor, without the lines that Twisted logs for each port."""

    def __init__(self, reactor: Any, path: Path, factory: Factory) -> None:
        self._reactor, self._factory = reactor, factory
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen()
        self._socket.setblocking(False)
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "control"

    def connectionLost(self, reason: Any) -> None:
        self._socket.close()

    def doRead(self) -> None:
        with contextlib.suppress(BlockingIOError), self._socket.accept()[0] as connection:
            self._reactor.adoptStreamConnection(connection.fileno(), socket.AF_UNIX, self._factory)


def listen(reactor: Any, path: Path, reload: Callable[[Callable[[str], None]], Awaitable[str]]) -> None:
    """
    Serve at ``path`` until the reactor stops. ``reload`` takes a function for progress lines, and returns the result.

    Raises:
        OSError: the socket cannot be made.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # of a node that had the same process id
    _Listening(reactor, path, Factory.forProtocol(lambda: _Connection(reload)))
    reactor.addSystemEventTrigger("after", "shutdown", path.unlink, missing_ok=True)
