"""
sd_notify(3), both sides: Crossbar sends ``READY=1`` when a node has booted, and ``stork up`` passes it on.
"""

import socket
from collections.abc import Mapping
from typing import Self

from stork_node.launcher.temporary import PrivateFolder

_READY = b"READY=1"
_VARIABLE = "NOTIFY_SOCKET"


class ReadySocket:
    """A socket on which a child reports that it is ready; ``environ`` tells the child about it."""

    def __init__(self) -> None:
        self._folder = PrivateFolder()  # only this user can write there
        path = str(self._folder.path / "ready")
        self.environ = {_VARIABLE: path}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(path)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bool:
        """Take one message; returns whether it says ready."""
        try:
            return _READY in self._socket.recv(4096).splitlines()
        except BlockingIOError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._folder.remove()


def tell_service_manager(environ: Mapping[str, str]) -> None:
    """Report ready to systemd, if this process is a service of it (``Type=notify``)."""
    path = environ.get(_VARIABLE)
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
            try:
                notifying.sendto(_READY, "\0" + path[1:] if path.startswith("@") else path)
            except OSError:
                return  # systemd has a time-out of its own
