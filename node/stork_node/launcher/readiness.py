"""
sd_notify(3), from both sides: Crossbar says ``READY=1`` when a node has booted, and ``stork up`` hands that on.
"""

import socket
from collections.abc import Mapping
from typing import Self

from stork_node.launcher.temporary import PrivateFolder

_READY = b"READY=1"
_VARIABLE = "NOTIFY_SOCKET"


class ReadySocket:
    """Where a child says that it is ready; ``environ`` tells it so."""

    def __init__(self) -> None:
        self._folder = PrivateFolder()  # only this user can say it
        path = str(self._folder.path / "ready")
        self.environ = {_VARIABLE: path}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(path)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bool:
        """Take one message; whether it says ready."""
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
    """Say ready to systemd, where this process is a service of it (``Type=notify``)."""
    path = environ.get(_VARIABLE)
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
            try:
                notifying.sendto(_READY, "\0" + path[1:] if path.startswith("@") else path)
            except OSError:
                return  # it was told nothing, which its own time-out is for
