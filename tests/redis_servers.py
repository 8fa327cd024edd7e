"""Redis servers of one's own, on free ports of loopback."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

DEADLINE_S = 20.0


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class RedisServer:
    """
    One ``redis-server``, or what ``STORK_TEST_REDIS`` names, such as a Valkey; keeps its data in ``folder`` while it is
    restarted.
    """

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = folder / f"redis-{self.port}"
        self.folder.mkdir(parents=True)
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self, *more: str) -> Self:
        found = shutil.which(os.environ.get("STORK_TEST_REDIS", "redis-server"))
        assert found, "redis-server is missing: scripts/test installs it"
        command = [found, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        command += ["--repl-diskless-sync-delay", "0", "--repl-backlog-ttl", "0", *self._options, *more]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        give_up_at = time.monotonic() + DEADLINE_S
        while time.monotonic() < give_up_at:
            try:
                self.client().ping()
            except redis.AuthenticationError:
                return self
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return self
        raise AssertionError((self.folder / "log").read_text())

    def client(self, **options: Any) -> "redis.Redis":
        return redis.Redis(port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0), **options)

    def call(self, *args: Any) -> Any:
        with self.client() as client:
            return client.execute_command(*args)

    def kill(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self if self._process else self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
