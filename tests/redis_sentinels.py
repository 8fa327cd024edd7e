"""Three Redis and three Sentinels, on free ports of loopback."""

import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import redis

from tests.redis_servers import DEADLINE_S, RedisServer, free_port

DOWN_MS = 1_000
"""After so long the Sentinels hold a silent master for dead."""


class Sentinel:
    """One ``redis-sentinel`` that watches the master at a port."""

    def __init__(self, folder: Path, master_port: int, quorum: int, more: str = "", port: int | None = None) -> None:
        self.port = port or free_port()
        config = folder / f"sentinel-{self.port}.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor stork 127.0.0.1 {master_port} {quorum}\n"
            f"sentinel down-after-milliseconds stork {DOWN_MS}\nsentinel failover-timeout stork 5000\n{more}"
        )
        program = shutil.which("redis-sentinel")
        assert program, "redis-sentinel is missing: scripts/test installs it"
        with (folder / f"sentinel-{self.port}.log").open("wb") as log:
            self._process = subprocess.Popen([program, str(config)], stdout=log, stderr=log)

    def __enter__(self) -> Self:
        give_up_at = time.monotonic() + DEADLINE_S
        while True:
            try:
                with redis.Redis(port=self.port, socket_timeout=2) as sentinel:
                    sentinel.ping()
            except redis.AuthenticationError:
                return self
            except redis.RedisError:
                assert time.monotonic() < give_up_at
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class Sentinels:
    """``servers[0]`` is the master at first; each Redis has its data in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers = [RedisServer(folder / str(i)) for i in range(3)]
        self.ports = [free_port() for _ in range(3)]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self.ports)}/stork"

    @property
    def master(self) -> RedisServer:
        """The one that a Sentinel names."""
        for port in self.ports:
            try:
                with redis.Redis(port=port, socket_timeout=2) as sentinel:
                    found = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "stork")
                    return next(each for each in self.servers if each.port == int(found[1]))
            except redis.RedisError:
                continue
        raise AssertionError("no Sentinel answers")

    def __enter__(self) -> Self:
        for server in self.servers:
            server.start()
        for server in self.servers[1:]:
            server.call("REPLICAOF", "127.0.0.1", self.servers[0].port)
        for port in self.ports:
            self._stack.enter_context(Sentinel(self._folder, self.servers[0].port, 2, port=port))
        self._wait(self._is_complete)
        return self

    def _is_complete(self) -> bool:
        for port in self.ports:
            try:
                with redis.Redis(port=port, socket_timeout=2) as sentinel:
                    replicas = sentinel.execute_command("SENTINEL", "REPLICAS", "stork")
                    others = sentinel.execute_command("SENTINEL", "SENTINELS", "stork")
            except redis.RedisError:
                return False
            if len(replicas) != 2 or len(others) != 2:
                return False
        return all(server.call("INFO", "replication")["master_link_status"] == "up" for server in self.servers[1:])

    def _wait(self, fact) -> None:
        give_up_at = time.monotonic() + 2 * DEADLINE_S
        while not fact():
            assert time.monotonic() < give_up_at
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for server in self.servers:
            server.kill()
