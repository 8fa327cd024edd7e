"""Write to a plain TCP connection at once: private names of Twisted. ``self_test`` checks them for the broadcaster."""

from typing import Any

from twisted.internet.tcp import Server


def write_now(transport: Any, data: bytes) -> None:
    """Write to the socket if no bytes wait, and let Twisted write the rest: waiting for its turn costs two calls."""
    sent = _send(transport, data) if type(transport) is Server else 0
    if sent < len(data):
        transport.write(data[sent:])


def _send(tcp: Any, data: bytes) -> int:
    try:
        is_idle = tcp.connected and not tcp.TLS and not tcp._tempDataLen and not tcp.dataBuffer
        return int(tcp.socket.send(data)) if is_idle else 0
    except (OSError, AttributeError):
        return 0  # full, or broken: Twisted gets the same error
