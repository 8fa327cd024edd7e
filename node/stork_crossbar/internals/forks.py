"""Forks of an application process: a child has no part in the connections of its parent."""

import os
import socket
from typing import Any


def close_in_children(reactor: Any) -> None:
    """
    Have each process that this one forks close its copies of the reactor's connections.

    A child that outlived its parent would keep the router from noticing that the application is gone.
    """
    os.register_at_fork(after_in_child=lambda: _close_connections(reactor))


def _close_connections(reactor: Any) -> None:
    for reader in reactor.getReaders():
        connection = getattr(reader, "socket", None)
        if isinstance(connection, socket.socket):
            connection.close()
