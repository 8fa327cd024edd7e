"""What stands between an engine and its Redis, and what only looks like one."""

import socket
import struct
import threading
from contextlib import suppress
from typing import Self


class CutInReply:
    """
    A way to a Redis. After ``arm`` the next answer to a script ends after a few bytes, and the connection with it.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._left: int | None = None
        self._runs_scripts: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = []

    def arm(self, after_bytes: int) -> None:
        self._left = after_bytes

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for ends, is_reply in (((client, server), False), ((server, client), True)):
                    thread = threading.Thread(target=self._pass_on, args=(*ends, is_reply), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not is_reply and b"EVALSHA" in data:
                    self._runs_scripts.add(source)
                if is_reply and target in self._runs_scripts and self._left is not None:
                    data, self._left = data[: self._left], None
                    target.sendall(data)
                    target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    target.close()
                    source.close()
                    return
                target.sendall(data)


class ScriptedRedis:
    """Answers each command by the first word of it; anything else is an error."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, suppress(OSError):
                    while data := client.recv(65536):
                        client.sendall(self._answer(data))

    def _answer(self, data: bytes) -> bytes:
        words = data.split(b"\r\n")
        return self._answers.get(words[2].upper(), b"-ERR unknown command\r\n")


def bulk(text: str) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text.encode())
