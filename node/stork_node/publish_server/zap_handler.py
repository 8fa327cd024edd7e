"""Who may connect to an encrypted publish server, and with which right: the ZAP handler (ZeroMQ RFC 27)."""

import zmq
from zmq.utils import z85

from stork_node.transport.curve import Right, client_keys

_ENDPOINT = "inproc://zeromq.zap.01"
_DOMAINS: dict[str, tuple[Right, ...]] = {
    "pull": ("push",),
    "router": ("push",),
    "pub": ("follow",),
    "replay": ("follow", "erase"),
}


class ZapHandler:
    """
    Admits the clients of each socket by their key, and nobody else.

    libzmq puts the right of a client into each message that comes from it, as ``User-Id``.

    Its owner polls ``socket`` and calls ``answer`` when it is readable; until then whoever connects waits.
    zmq.auth has no synchronous handler: its own runs in a thread or on asyncio.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", secret: str) -> None:
        self._rights: dict[tuple[bytes, bytes], Right] = {
            (domain.encode(), z85.decode(client_keys(secret, right).public)): right
            for domain, rights in _DOMAINS.items()
            for right in rights
        }
        self.domain = ""
        """The port of the last client that asked: ``pull``, ``router``, ``pub`` or ``replay``."""
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ENDPOINT)

    def answer(self) -> bool:
        """Answer one waiting request; returns whether the client was admitted."""
        version, request_id, domain, _address, _identity, mechanism, *credentials = self.socket.recv_multipart()
        self.domain = domain.decode()
        right = self._rights.get((domain, b"".join(credentials))) if mechanism == b"CURVE" else None
        status = [b"200", b"OK"] if right else [b"400", b"key not admitted"]
        self.socket.send_multipart([version, request_id, *status, (right or "").encode(), b""])
        return right is not None
