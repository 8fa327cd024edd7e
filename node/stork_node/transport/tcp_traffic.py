"""What the kernel has counted of a TCP connection (Linux; elsewhere nothing is known)."""

import fcntl
import socket
import struct
import sys
import termios

# linux/tcp.h, struct tcp_info: 8 bytes, 24 numbers of 32 bits, then numbers of 64 bits:
# pacing_rate, max_pacing_rate, bytes_acked, bytes_received
_TCP_INFO = struct.Struct("=120xQQ")
_NUMBER = struct.Struct("=i")
_IS_LINUX = sys.platform == "linux"


def traffic(connection: socket.socket) -> tuple[int, int]:
    """How many bytes the peer has acknowledged, and how many have come from it; zeros where that is not known."""
    if not _IS_LINUX:
        return 0, 0
    try:
        return _TCP_INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    except (OSError, struct.error):  # it ends just now, or the kernel is older than 4.1
        return 0, 0


def waits_to_be_read(connection: socket.socket) -> int:
    """Bytes that have come and that this process has not read."""
    return _ask(connection, termios.FIONREAD)


def waits_to_be_sent(connection: socket.socket) -> int:
    """Bytes that this process has written and that the peer has not acknowledged."""
    return _ask(connection, termios.TIOCOUTQ)


def _ask(connection: socket.socket, request: int) -> int:
    try:
        return int(_NUMBER.unpack(fcntl.ioctl(connection, request, bytes(_NUMBER.size)))[0])
    except OSError:
        return 0
