"""A Redis and a Sentinel on each machine."""

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.engine.machines import NUMBER, Machines
from tests.gateway import ROOT, Process, wait_for

REDIS_PORT, SENTINEL_PORT = 6379, 26379
MASTER_NAME = "stork"
DOWN_MS = 2_000
"""After so long the Sentinels hold a silent master for dead."""

PASSWORD = "chaos"

_START = ROOT / "scripts/deploy/redis/start.sh"


class RedisSet:
    """The Redis of machine 0 is the master at first."""

    def __init__(self, machines: Machines, folder: Path) -> None:
        self._machines, self._folder = machines, folder
        self._redis: list[Process | None] = [None] * NUMBER
        self._sentinels: list[Process | None] = [None] * NUMBER
        for n in range(NUMBER):
            self._folder_of(n).mkdir()

    def start(self) -> None:
        for n in range(NUMBER):
            self.start_redis(n)
        wait_for(lambda: len(self._online()) == NUMBER - 1, "replicas in step")
        for n in range(NUMBER):
            self.start_sentinel(n)
        wait_for(self._is_watched, "Sentinels that know each other")

    def start_redis(self, n: int) -> None:
        self._redis[n] = self._start(n, "redis")

    def start_sentinel(self, n: int) -> None:
        self._sentinels[n] = self._start(n, "sentinel")

    def stop(self) -> None:
        for process in (*self._redis, *self._sentinels):
            if process and process.popen.poll() is None:
                process.popen.send_signal(signal.SIGCONT)
                process.popen.kill()
                process.popen.wait()

    def process_of_redis(self, n: int) -> Process | None:
        return self._redis[n]

    def process_of_sentinel(self, n: int) -> Process | None:
        return self._sentinels[n]

    @property
    def master(self) -> int:
        """The machine that most Sentinels name."""
        named = [found for n in range(NUMBER) if (found := self._named_by(n)) is not None]
        return max(set(named), key=named.count) if named else 0

    def ask(self, n: int, *command: Any, sentinel: bool = False) -> Any:
        """
        Run a command there.

        Raises:
            redis.RedisError: it has failed.
        """
        port = SENTINEL_PORT if sentinel else REDIS_PORT
        limits = {"socket_timeout": 2, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)}
        with redis.Redis(self._machines.front(n), port, password=PASSWORD, **limits) as to:
            return to.execute_command(*command)

    def try_to_ask(self, n: int, *command: Any) -> Any:
        """As ``ask``; None where it has failed."""
        with suppress(redis.RedisError):
            return self.ask(n, *command)
        return None

    def committed_ends(self) -> dict[str, int]:
        """How far each epoch that is over was committed, as far as the Redis that can be reached know."""
        found: dict[str, int] = {}
        for n in range(NUMBER):
            said = self.try_to_ask(n, "HGETALL", "{stork}:ends") or {}
            for epoch, end in said.items() if isinstance(said, dict) else zip(said[::2], said[1::2], strict=True):
                found[epoch.decode()] = max(int(end), found.get(epoch.decode(), 0))
        return found

    def wait_for_another_master(self, than: int, timeout_s: float = 40.0) -> None:
        """Until Sentinels have promoted another one, or the time is over."""
        give_up_at = time.monotonic() + timeout_s
        while self.master == than and time.monotonic() < give_up_at:
            time.sleep(0.1)

    def _named_by(self, n: int) -> int | None:
        try:
            found = self.ask(n, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME, sentinel=True)
        except redis.RedisError:
            return None
        return int(found[0].decode().rpartition(".")[2]) - 1 if found else None

    def _online(self) -> list[str]:
        info = self.try_to_ask(0, "INFO", "replication") or {}
        return [key for key in info if key.startswith("slave") and info[key]["state"] == "online"]

    def _is_watched(self) -> bool:
        try:
            return all(
                len(self.ask(n, "SENTINEL", what, MASTER_NAME, sentinel=True)) == NUMBER - 1
                for n in range(NUMBER)
                for what in ("REPLICAS", "SENTINELS")
            )
        except redis.RedisError:
            return False

    def _start(self, n: int, kind: str) -> Process:
        assert shutil.which("redis-server"), "redis-server is missing: scripts/test installs it"
        own, first, folder = self._machines.among(n), self._machines.among(0), self._folder_of(n)
        command = [*self._machines.command(n), "sh", str(_START), kind, own, first, str(folder)]
        environ = os.environ | {"STORK_REDIS_PASSWORD": PASSWORD, "SENTINEL_DOWN_MS": str(DOWN_MS)}
        return Process(command, self._folder / f"{kind}-{n + 1}.log", environ, folder)

    def _folder_of(self, n: int) -> Path:
        return self._folder / f"redis-{n + 1}"
