"""Publish servers whose log is on a Redis (node/docs/engine.md): alone, with a replica, two of them, with Sentinels."""

import os
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.errors import MeasurementFailed
from benchmarks.peers.peer import program
from benchmarks.peers.stork import STORK, Bus, PublishServer
from benchmarks.processes import Child, free_ports
from benchmarks.tools import Package

_REDIS = ("--save", "", "--appendonly", "yes", "--repl-backlog-ttl", "0", "--repl-diskless-sync-delay", "0")
_PATIENCE_S = 30.0
DOWN_MS = 2_000
"""After so long the Sentinels hold a silent master for dead."""


class OnRedis(PublishServer):
    """One publish server, and one Redis: a push waits for no replica."""

    name = "redis"
    label = "publish server on Redis, wait 0"
    packages = (Package("redis-server", "redis-server"), Package("redis-sentinel", "redis-sentinel"))
    replicas = 0
    servers = 1

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.buses = [self.bus, *(Bus(*free_ports(4)) for _ in range(self.servers - 1))]

    def start(self) -> None:
        self.ports = free_ports(1 + self.replicas)
        self.redis = [self._start_redis(port, self.ports[0]) for port in self.ports]
        self._wait_for(lambda: self._say(self.ports[0], "INFO").count("state=online") == self.replicas, "replicas")
        self._environ["STORK_ENGINE"] = self._engine()
        for n, bus in enumerate(self.buses):
            command = ["publish-server", *bus.flags()]
            child = self.run(f"publish-server-{n}", *STORK, *command, environ=self._environ)
            child.wait_for_line("publish server is up")
        self.push_port = self.bus.pull

    def _engine(self) -> str:
        return f"redis://127.0.0.1:{self.ports[0]}"

    def _start_redis(self, port: int, master: int) -> Child:
        folder = self.folder / f"redis-{port}"
        folder.mkdir()
        replica = [] if port == master else ["--replicaof", "127.0.0.1", str(master)]
        where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        child = self.run(f"redis-{port}", program("redis-server"), *where, *_REDIS, *replica)
        child.wait_for_port(port)
        return child

    def _say(self, port: int, *command: str) -> str:
        done = subprocess.run(
            [program("redis-cli"), "-p", str(port), *command], capture_output=True, text=True, check=False, timeout=10
        )
        return done.stdout

    def _wait_for(self, fact, what: str) -> None:
        give_up_at = time.monotonic() + _PATIENCE_S
        while not fact():
            if time.monotonic() > give_up_at:
                raise MeasurementFailed(f"{what}: not within {_PATIENCE_S:g} s")
            time.sleep(0.02)


class OnReplicatedRedis(OnRedis):
    """One publish server, a Redis and its replica: a push waits for the replica."""

    name = "redis-replica"
    label = "publish server on Redis, wait 1"
    replicas = 1


class TwoOnRedis(OnReplicatedRedis):
    """Two publish servers, a Redis and its replica."""

    name = "redis-two"
    label = "two publish servers on Redis, wait 1"
    servers = 2


class OnSentinels(OnRedis):
    """One publish server, a Redis, two replicas, and three Sentinels."""

    name = "redis-sentinels"
    label = "publish server on Redis and Sentinels, wait 1"
    replicas = 2

    def _is_watched(self, sentinel: int) -> bool:
        said = self._say(sentinel, "SENTINEL", "MASTER", "bench")
        return "num-slaves\n2" in said and "num-other-sentinels\n2" in said

    def kill_master(self) -> None:
        os.kill(self.redis[0].pid, signal.SIGKILL)

    def has_moved(self) -> bool:
        """Whether a Sentinel names another master."""
        return str(self.ports[0]) not in self._say(self._sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "bench")

    def _engine(self) -> str:
        self._sentinels = free_ports(3)
        for port in self._sentinels:
            config = self.folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self.folder}\nsentinel monitor bench 127.0.0.1 {self.ports[0]} 2\n"
                f"sentinel down-after-milliseconds bench {DOWN_MS}\nsentinel failover-timeout bench 5000\n"
            )
            child = self.run(f"sentinel-{port}", program("redis-server"), str(config), "--sentinel")
            child.wait_for_port(port)
        for port in self._sentinels:
            self._wait_for(lambda port=port: self._is_watched(port), "Sentinels that know each other")
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self._sentinels)}/bench"
