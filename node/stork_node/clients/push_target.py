"""The publish server of a publisher: its endpoint, keys, and sockets."""

from dataclasses import dataclass
from typing import Self

import zmq

from stork_node.errors import ConfigError, Problem
from stork_node.transport.curve import ClientKeys, secure_client
from stork_node.transport.endpoints import Port, local_endpoint, parse_endpoints
from stork_node.transport.handshakes import Reachability, WatchedHandshakes
from stork_node.transport.sockets import prepare_socket


@dataclass
class PushTarget:
    """
    One publish server, or several that share a log, as their pushers see them.

    Attributes:
        endpoints: the ROUTER of each if ``answered``, otherwise its PULL.
        keys: for CURVE; None for a publish server without a secret.
        linger_ms: time that closing an unanswered socket waits for unsent pushes.
        chosen: which endpoint is used, until it does not answer.
    """

    endpoints: tuple[str, ...]
    answered: bool
    keys: ClientKeys | None
    linger_ms: int
    chosen: int = 0

    @property
    def endpoint(self) -> str:
        """All endpoints, as a person would write them."""
        return ",".join(self.endpoints)

    @classmethod
    def parse(
        cls,
        endpoint: str | None,
        answered: bool,
        timeout_ms: int,
        secret: str | None,
        push_key: str | None,
        linger_ms: int,
    ) -> Self:
        """
        Check a publisher's arguments.

        Raises:
            ConfigError: not an endpoint, a time-out of zero, not a push key, or both a secret and a push key.
        """
        problems = []
        keys, endpoints = None, tuple[str, ...]()
        try:
            endpoints = parse_endpoints(endpoint or local_endpoint(Port.ROUTER if answered else Port.PULL))
        except ValueError as error:
            problems.append(Problem("endpoint", str(error)))
        if timeout_ms <= 0:
            problems.append(Problem("timeout_ms", f"{timeout_ms} is no time to wait for an answer (want 2000)"))
        try:
            if secret and push_key:
                raise ValueError("give the secret or the push key, not both")
            if push_key:
                keys = ClientKeys.from_push_key(push_key)
            elif secret:
                keys = ClientKeys.from_secret(secret, "push")
        except ValueError as error:
            problems.append(Problem("push_key", str(error)))
        if problems:
            raise ConfigError(problems)
        return cls(endpoints, answered, keys, linger_ms)

    def connect(self, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
        """A new socket; it queues pushes until the connection is there."""
        endpoint = self.endpoints[self.chosen]
        socket = self._make(context, endpoint)
        socket.connect(endpoint)
        return socket

    def connect_watched(
        self, context: "zmq.Context[zmq.Socket[bytes]]"
    ) -> "tuple[zmq.Socket[bytes], WatchedHandshakes]":
        """A socket to the next endpoint, with what becomes of its handshake: after an attempt that had no answer."""
        self.chosen = (self.chosen + 1) % len(self.endpoints)
        endpoint = self.endpoints[self.chosen]
        socket = self._make(context, endpoint)
        server = Reachability(f"the publish server at {endpoint}", self.keys is not None)
        handshakes = WatchedHandshakes(socket, server)
        socket.connect(endpoint)
        return socket, handshakes

    def _make(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> "zmq.Socket[bytes]":
        socket = context.socket(zmq.DEALER if self.answered else zmq.PUSH)
        prepare_socket(socket, endpoint)
        if self.answered:
            # The publisher limits the open pushes, and sends unanswered ones again.
            socket.sndhwm = 0
            socket.linger = 0
        else:
            socket.linger = self.linger_ms
        if self.keys:
            secure_client(socket, self.keys)
        return socket
