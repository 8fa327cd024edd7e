"""A proxy for TCP whose connections a test cuts, and that a test lets lead elsewhere."""

import socket
import threading
from contextlib import suppress


class CuttingProxy:
    """
    Attributes:
        port: where clients connect to.
        target: the port behind it, for new connections; 0 refuses them.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.target = 0
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End all connections at once."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                if not self.target:
                    client.close()
                    continue
                behind = socket.create_connection(("127.0.0.1", self.target))
            except ConnectionRefusedError:
                client.close()
                continue
            except OSError:
                return
            with self._lock:
                self._sockets |= {client, behind}
            for pair in ((client, behind), (behind, client)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()
