"""A TCP link in front of an endpoint that a test can cut: with resets, or without a word."""

import selectors
import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType


class Link:
    """Connections to ``endpoint`` go on to ``target`` (``tcp://HOST:PORT``), unless the link is cut."""

    def __init__(self, target: str) -> None:
        host, _, port = target.removeprefix("tcp://").rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._is_cut = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Link":
        self._thread.start()
        return self

    def __exit__(self, _type: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()
        self._drop(reset=True)
        self._listener.close()
        self._selector.close()

    def cut(self, *, reset: bool) -> None:
        """
        Nothing passes from now on, and new connections are refused.

        ``reset``: both ends are told by a RST; else what is sent stays where it is, and nobody is told.
        """
        with self._lock:
            self._is_cut = True
            if reset:
                self._drop(reset=True)

    def mend(self) -> None:
        """Send the data that was held back, and accept connections again."""
        with self._lock:
            self._is_cut = False

    def _drop(self, *, reset: bool) -> None:
        for each in list(self._pairs):
            self._close(each, reset=reset)

    def _close(self, one: socket.socket, *, reset: bool) -> None:
        other = self._pairs.pop(one, None)
        if other is None:
            return
        self._pairs.pop(other, None)
        for each in (one, other):
            self._selector.unregister(each)
            if reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            ready = self._selector.select(0.02)
            if self._is_cut:
                self._closing.wait(0.02)  # what is ready stays so
                continue
            with self._lock:
                for key, _ in ready if not self._is_cut else ():
                    assert isinstance(key.fileobj, socket.socket)
                    self._serve(key.fileobj)

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._listener:
            near, _ = ready.accept()
            try:
                far = socket.create_connection(self._target, 1.0)
            except OSError:
                near.close()
                return
            for one, other in ((near, far), (far, near)):
                self._pairs[one] = other
                self._selector.register(one, selectors.EVENT_READ)
            return
        if ready not in self._pairs:
            return
        data = b""
        with suppress(OSError):
            data = ready.recv(1 << 16)
        if not data:
            self._close(ready, reset=False)
            return
        with suppress(OSError):
            self._pairs[ready].sendall(data)
