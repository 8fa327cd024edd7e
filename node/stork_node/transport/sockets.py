"""What all ZMQ sockets of a deployment have in common."""

import zmq

HEARTBEAT_INTERVAL_MS = 5_000
HEARTBEAT_TIMEOUT_MS = 15_000


def prepare_socket(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """
    Set what a socket needs before it binds or connects to ``endpoint``.

    Heartbeats (ZMTP's PING and PONG) close the connection of a peer that has vanished without a word, and with it the
    queue for it. libzmq answers them in its own thread; a peer without libzmq has to answer within 15 s.
    """
    socket.heartbeat_ivl = HEARTBEAT_INTERVAL_MS
    socket.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS
    socket.heartbeat_ttl = HEARTBEAT_TIMEOUT_MS
    # Not for host names: libzmq would take the IPv6 address of a name that has both, and never try the other.
    socket.ipv6 = "[" in endpoint
