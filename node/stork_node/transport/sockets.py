"""What all ZMQ sockets of a deployment have in common."""

import zmq

HEARTBEAT_INTERVAL_MS = 5_000
HEARTBEAT_TIMEOUT_MS = 15_000


KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 10, 5, 3


def prepare_socket(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """
    Set what a socket needs before it connects to ``endpoint``.

    Heartbeats (ZMTP's PING and PONG) close the connection of a peer that has vanished without a word, and with it the
    queue for it. libzmq answers them in its own thread. The other end ends the connection without them, too.

    Its queue of what was received has no end. While a queue is full, libzmq (4.3.5 and earlier) ends the process if the
    connection is reset and a PING is due (stream_engine_base.cpp, "!_io_error"). So a publish server that is killed
    could take its clients with it. Whoever may not trust the other end bounds the bytes (``ServerWatch``).
    """
    socket.rcvhwm = 0
    socket.heartbeat_ivl = HEARTBEAT_INTERVAL_MS
    socket.heartbeat_timeout = HEARTBEAT_TIMEOUT_MS
    socket.heartbeat_ttl = HEARTBEAT_TIMEOUT_MS
    _set_address_family(socket, endpoint)


def prepare_server_socket(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    """
    Set what a socket needs before it binds ``endpoint``.

    TCP's keepalive finds peers that have vanished. A server sends no PING: peers of ZMTP 3.0 do not know it, and its
    queues have an end, so that pushers wait (see ``prepare_socket``).
    """
    socket.tcp_keepalive = 1
    socket.tcp_keepalive_idle = KEEPALIVE_IDLE_S
    socket.tcp_keepalive_intvl = KEEPALIVE_INTERVAL_S
    socket.tcp_keepalive_cnt = KEEPALIVE_PROBES
    _set_address_family(socket, endpoint)


def _set_address_family(socket: "zmq.Socket[bytes]", endpoint: str) -> None:
    # Not for host names: libzmq would take the IPv6 address of a name that has both, and never try the other.
    socket.ipv6 = "[" in endpoint
