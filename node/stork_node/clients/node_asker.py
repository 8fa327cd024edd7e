"""Asks a publish server for its table of nodes, by its replay port."""

import zmq

from stork_node.errors import StorkError
from stork_node.protocol.commands.leases import Nodes, NodesRequest, encode_node_request
from stork_node.protocol.replay import ReplayRefused, decode_node_answer
from stork_node.transport.curve import ClientKeys, secure_client
from stork_node.transport.sockets import prepare_socket

ANSWER_S = 5.0
"""Time limit for one answer."""


class NodesUnknown(StorkError):
    """There is no table of nodes, and ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the nodes are not known: {reason}")
        self.reason = reason


class NodeAsker:
    """
    One connection to the replay port ``endpoint``; to be used by one thread, and closed.

    Args:
        secret: the secret of the bus; empty if it is not encrypted.
    """

    def __init__(self, endpoint: str, secret: str, answer_s: float = ANSWER_S) -> None:
        self._endpoint, self._secret, self._answer_s = endpoint, secret, answer_s
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._connect()

    def __enter__(self) -> "NodeAsker":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def ask(self) -> Nodes:
        """
        The table of nodes now.

        Raises:
            NodesUnknown: no answer, or a publish server of a release that has no such table.
        """
        try:
            self._socket.send(encode_node_request(NodesRequest()))
            answer = decode_node_answer(self._socket.recv_multipart())
        except zmq.Again:
            self._socket.close()
            self._socket = self._connect()
            asked = f"no answer from {self._endpoint} within {self._answer_s:g} s"
            raise NodesUnknown(f"{asked} (is it the replay port, and the secret the same?)") from None
        except ReplayRefused:
            raise NodesUnknown(f"the publish server at {self._endpoint} is of a release before this one") from None
        if not isinstance(answer, Nodes):
            raise NodesUnknown(f"{self._endpoint} answered something else")
        return answer

    def _connect(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = int(self._answer_s * 1000)
        prepare_socket(socket, self._endpoint)
        if self._secret:
            secure_client(socket, ClientKeys.from_secret(self._secret, "follow"))
        socket.connect(self._endpoint)
        return socket
