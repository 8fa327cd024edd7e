"""Asks a running publish server to erase a topic, by its replay port."""

from collections.abc import Iterator

import zmq

from stork_node.errors import StorkError
from stork_node.protocol.replay import EraseRequest, Erasing, ReplayRefused, decode_erasing, encode_request
from stork_node.transport.curve import ClientKeys, secure_client
from stork_node.transport.sockets import prepare_socket

ANSWER_S = 15.0
"""Time limit for one answer: the server reports its progress each second, unless its disk is slow."""


class EraseFailed(StorkError):
    """Pushes to ``topic`` may still be there, all or some."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"{topic} is not erased: {reason}")
        self.topic, self.reason = topic, reason


def ask_to_erase(endpoint: str, secret: str, topic: str, answer_s: float = ANSWER_S) -> Iterator[Erasing]:
    """
    Ask the publish server with the replay port ``endpoint``; yields its answers, up to the last one.

    Args:
        secret: the secret of the bus; empty if it is not encrypted.
        topic: URI.

    Raises:
        EraseFailed: no answer, or a refusal; ask again.
    """
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger, socket.rcvtimeo = 0, int(answer_s * 1000)
        prepare_socket(socket, endpoint)
        if secret:
            secure_client(socket, ClientKeys.to_erase(secret))
        socket.connect(endpoint)
        socket.send(encode_request(EraseRequest(topic)))
        while True:
            try:
                answer = decode_erasing(socket.recv_multipart())
            except zmq.Again:
                asked = f"no answer from {endpoint} within {answer_s:g} s"
                raise EraseFailed(topic, f"{asked} (is it the replay port, and the secret the same?)") from None
            except ReplayRefused as refused:
                raise EraseFailed(topic, refused.reason) from None
            yield answer
            if answer.is_done:
                return
