"""One connection of a peer, and what it makes this process hold."""

import ipaddress
import os
import socket
import struct
from contextlib import suppress

from stork_node.transport.inflow import Inflow
from stork_node.transport.tcp_traffic import traffic, waits_to_be_read, waits_to_be_sent

_LAST_BYTES = 256 << 10
_RESET = struct.pack("=ii", 1, 0)
# Beyond the bytes themselves, where they come as frames of a few bytes.
_MEMORY_OF_UNFINISHED = 7


class Peer:
    """One connection, by a descriptor of its own: libzmq's may be closed and given away at any time."""

    __slots__ = (
        "active_at",
        "address",
        "connection",
        "has_joined",
        "inflow",
        "is_cut",
        "is_local",
        "name",
        "named",
        "prefix_bytes",
        "prefixes",
        "queued",
        "routing_id",
        "since",
        "taken_before",
        "unfinished",
        "unread",
        "unsent",
    )

    def __init__(self, fd: int, now: float, queued: int, control_bytes: float) -> None:
        self.connection = duplicate(fd)
        self.address, self.name = names_of(self.connection)
        self.is_local = is_loopback(self.address)
        self.has_joined = False
        self.since = self.active_at = now
        self.inflow = Inflow(control_bytes, now)
        self.queued = queued
        self.prefixes = self.prefix_bytes = 0
        self.named: list[bytes] = []
        self.unread = self.unsent = self.unfinished = self.taken_before = 0
        self.routing_id = b""
        self.is_cut = False

    @property
    def held(self) -> int:
        """Bytes that this process holds because of it."""
        return self.unread + self.unsent + _MEMORY_OF_UNFINISHED * self.unfinished

    def cut(self) -> None:
        """End the connection; libzmq sees that, and lets go of what it holds of it."""
        self.is_cut = True
        end(self.connection)

    def close(self) -> None:
        """Let go of it, once libzmq has: what it sent last is read, or else it would get a reset for an end."""
        with suppress(OSError):
            if not self.is_cut:
                self.connection.recv(_LAST_BYTES, socket.MSG_DONTWAIT)
        self.connection.close()

    def notice_joining(self, needed_bytes: int) -> None:
        """Whether it has said who it is: ``needed_bytes`` have come, of which libzmq refuses what is no handshake."""
        self.has_joined = self.has_joined or traffic(self.connection)[1] >= needed_bytes

    def measure(self, published: int, is_drained: bool, now: float) -> None:
        """
        Find ``unread``, ``unfinished`` and ``unsent``; ``published`` bytes were sent to all peers together.

        ``is_drained``: since the last time all whole messages of the socket were taken.
        """
        acknowledged, received = traffic(self.connection)
        unread_before = self.unread
        self.unread = self.inflow.measure(received, now)
        if self.unread:
            self.unread = max(0, self.unread - waits_to_be_read(self.connection))
        # What waited before all whole messages were taken, and none was of this peer, belongs to one that goes on.
        is_stalled = is_drained and self.inflow.taken == self.taken_before
        self.unfinished = min(unread_before, self.unread) if is_stalled else 0
        if self.inflow.taken != self.taken_before:
            self.active_at = now
        self.taken_before = self.inflow.taken
        self.unsent = self.queued + published - acknowledged
        # Heartbeats are acknowledged, too, and are not in what was sent. Where the kernel has nothing to send, libzmq
        # has nothing either.
        if self.unsent < 0 or (self.unsent and not waits_to_be_sent(self.connection)):
            self.queued -= self.unsent
            self.unsent = 0


def duplicate(fd: int) -> socket.socket:
    """
    The connection that libzmq has at ``fd``, by a descriptor of its own.

    Raises:
        OSError: there is none any more, or no descriptor is left.
    """
    copy = os.dup(fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def end(connection: socket.socket) -> None:
    """End it; libzmq sees that."""
    with suppress(OSError):  # it has ended by itself
        # A peer that goes on sending gets a reset, and does not wait for room.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)


def is_loopback(address: str) -> bool:
    """Whether a peer's address is one of this host's own."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def names_of(connection: socket.socket) -> tuple[str, str]:
    """A peer's address, and what the log calls it: with its port, where it has not left already."""
    try:
        host, port, *_ = connection.getpeername()
    except (OSError, ValueError):
        return "", "a peer"
    return host, f"{host}:{port}"
