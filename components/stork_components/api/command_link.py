"""
The answered connection of the HTTP API to the publish server for commands and pushes whose answers wait for nodes.

Each command has an id, so it is sent again while there is no answer: the publish server obeys it once.
"""

from typing import Any

import zmq

from stork_crossbar.internals.zmq_reader import Message, ZmqReader
from stork_node.api.pushes import ApiPush
from stork_node.clients.pending_pushes import PendingPushes
from stork_node.clients.push_target import PushTarget

MOST_OPEN = 1_000
_FIRST_RETRY_S = 2.0
_NO_ANSWER = "the publish server did not answer in time: the command may be obeyed or not"
_TOO_MANY = "too many commands wait for the publish server"


class CommandLink:
    """
    It connects for the first command.

    Args:
        timeout_s: after it, and after the time that the answer may wait for nodes, a command is not confirmed.
    """

    def __init__(self, reactor: Any, target: PushTarget, timeout_s: float) -> None:
        self._reactor, self._target, self._timeout_s = reactor, target, timeout_s
        self._open = PendingPushes()
        self._timers: dict[ApiPush, Any] = {}
        self._reader: ZmqReader | None = None
        self._socket: zmq.Socket[bytes] | None = None

    def send(self, command: ApiPush) -> None:
        """Send it, and settle it later."""
        if len(self._open) >= MOST_OPEN:
            command.refuse("not_confirmed", _TOO_MANY)
            return
        if self._socket is None:
            self._socket = self._target.connect(zmq.Context.instance())
            self._reader = ZmqReader(self._reactor, self._socket, self._received)
        self._open.add(command)
        until = self._reactor.seconds() + self._timeout_s + command.wait_ms / 1000
        self._try(command, until, _FIRST_RETRY_S)

    def _try(self, command: ApiPush, until: float, patience_s: float) -> None:
        left_s = until - self._reactor.seconds()
        if left_s <= 0:
            del self._timers[command]
            self._open.drop(command)
            command.refuse("not_confirmed", _NO_ANSWER)
            return
        if self._socket is not None and self._reader is not None:
            self._socket.send(command.frame, zmq.NOBLOCK)
            self._reader.look_again()
        pause_s = min(patience_s, left_s)
        self._timers[command] = self._reactor.callLater(pause_s, self._try, command, until, 2 * patience_s)

    def _received(self, messages: list[Message]) -> None:
        for message in messages:
            command: Any = self._open.settle(message[0])
            if command is not None:
                self._timers.pop(command).cancel()
                command.take_outcome()

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers = {}
        if self._reader is not None:
            self._reader.close()
