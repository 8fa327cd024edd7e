"""Forks of an application process: a child must not keep the connections of its parent."""

import os
import socket
from typing import Any


def close_in_children(reactor: Any) -> None:
    """
    Make each forked child of this process close its copies of the reactor's connections.

    Otherwise the router would not notice the end of the application while a child lives.
    """
    os.register_at_fork(after_in_child=lambda: _close_connections(reactor))


def _close_connections(reactor: Any) -> None:
    for reader in reactor.getReaders():
        connection = getattr(reader, "socket", None)
        if isinstance(connection, socket.socket):
            connection.close()
