"""What becomes of the handshakes of a ZMQ socket: why a peer with a wrong secret, or a wrong host, is not there."""

import struct
from contextlib import suppress
from itertools import count

import zmq

EVENT = struct.Struct("=HI")
_CONNECTED = int(zmq.EVENT_CONNECTED)
_RETRIED = int(zmq.EVENT_CONNECT_RETRIED)
_SUCCEEDED = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
_BROKEN_OFF = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
_NO_PROTOCOL = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_NOT_ADMITTED = int(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
FAILED = _BROKEN_OFF | _NO_PROTOCOL | _NOT_ADMITTED
"""Their value is no descriptor, but what was wrong."""

OF_CLIENTS = _CONNECTED | _RETRIED | _SUCCEEDED | FAILED
_MECHANISM = int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
_CRYPTOGRAPHIC = int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
_numbers = count(1)


def stranger(event: int, value: int, has_secret: bool) -> str:
    """Why a server has refused a peer for its key; empty for all else. (The ZAP handler knows of keys not admitted.)"""
    if event != _NO_PROTOCOL:
        return ""
    if value == _MECHANISM:
        return (
            "a peer has no secret, and this server has one"
            if has_secret
            else "a peer has a secret, and this server none"
        )
    return "a peer with another secret" if value == _CRYPTOGRAPHIC else ""


class Reachability:
    """
    What the connecting side sees of a server, from the events of its socket.

    Args:
        server: what is connected to, for the sentence: ``the publish server at tcp://…``.
        has_secret: whether the socket has keys.
    """

    def __init__(self, server: str, has_secret: bool) -> None:
        self._server, self._has_secret = server, has_secret
        self._has_met = False
        self.trouble = ""
        """Why the server is out of reach, in one sentence; empty if it is not, or nothing is known."""

    def note(self, event: int, value: int) -> None:
        """One event of ``OF_CLIENTS``."""
        if event == _CONNECTED:
            self._has_met = True
        elif event == _SUCCEEDED:
            self.trouble = ""
        elif event in (_BROKEN_OFF, _NO_PROTOCOL, _NOT_ADMITTED):
            self.trouble = self._explain(event, value)
        elif event == _RETRIED and not self._has_met:
            self.trouble = f"nobody answers at {self._server.rpartition(' ')[2]} (is the publish server running there?)"
        if event == _RETRIED:
            self._has_met = False

    def _explain(self, event: int, value: int) -> str:
        if event == _NO_PROTOCOL and value == _MECHANISM:
            if self._has_secret:
                return f"{self._server} has no secret, and here is one (STORK_BUS_SECRET)"
            return f"{self._server} wants CURVE, and there is no secret here (STORK_BUS_SECRET)"
        # Who closes first is chance: a server that does not know the mechanism may close before its own is read.
        if self._has_secret:
            return (
                f"{self._server} refuses the secret that is used here: it has another one, or none (STORK_BUS_SECRET)"
            )
        return f"{self._server} breaks off the handshake: does it want a secret (STORK_BUS_SECRET)?"


class WatchedHandshakes:
    """The events of one connecting socket. To be made before it connects, and to be closed before the socket."""

    def __init__(self, socket: "zmq.Socket[bytes]", reachability: Reachability) -> None:
        self._socket, self._reachability = socket, reachability
        endpoint = f"inproc://stork-handshakes-{next(_numbers)}"
        socket.monitor(endpoint, OF_CLIENTS)
        self._events: zmq.Socket[bytes] = socket.context.socket(zmq.PAIR)
        self._events.linger = self._events.rcvhwm = 0
        self._events.connect(endpoint)

    @property
    def trouble(self) -> str:
        """Why the server is out of reach, in one sentence; empty if it is not, or nothing is known."""
        with suppress(zmq.Again):
            while True:
                self._reachability.note(*EVENT.unpack(self._events.recv_multipart(zmq.NOBLOCK)[0]))
        return self._reachability.trouble

    def close(self) -> None:
        self._socket.disable_monitor()
        self._events.close()
