"""The system under test: three machines, each with ``stork up``, a Redis and a Sentinel; HAProxy before them."""

import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from tests.chaos.engine.faults import ENGINE, MACHINES, MASTER, NODES, REDIS, REPLICAS, SENTINELS, SERVERS
from tests.chaos.engine.machines import NUMBER, Machines
from tests.chaos.engine.redis_set import MASTER_NAME, PASSWORD, RedisSet
from tests.chaos.histories import Replaced
from tests.chaos.schedule import HAPROXY, Fault
from tests.gateway import API_KEY, ROOT, STORK, Process, children, command_line, free_ports, wait_for

_APP = Path(__file__).parent.parent / "app.py"
_CONFIG = Path(__file__).parent / "haproxy.cfg"
_KEY = "{stork}:"


class EngineCluster:
    """
    As ``Cluster``: ``url`` is HAProxy's WebSocket, ``router`` where to push. The folder of each machine is as shipped.

    ``ends`` says how far each epoch that is over was committed.
    """

    wants_copy = False

    def __init__(self, folder: Path, app: str | None = None) -> None:
        self.folder = folder
        # An epoch may begin at any time here; it has to be told, and nothing of it may be missing.
        self.replaced = [Replaced(0.0, 0.0)]
        self.ends: dict[str, int] = {}
        self._app = app or _APP.read_text()
        self._stack = ExitStack()
        self._machines = Machines()
        self._up: list[Process | None] = [None] * NUMBER
        self._haproxy: Process | None = None
        self._processes: list[Process] = []
        self._stopped: list[int] = []
        self._master = 0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            for process in reversed(self._processes):
                for pid in _family(process):
                    _signal(pid, signal.SIGCONT)
                    _signal(pid, signal.SIGTERM if pid == process.popen.pid else signal.SIGCONT)
            for process in reversed(self._processes):
                with suppress(subprocess.TimeoutExpired):
                    process.popen.wait(30)
                for pid in _family(process):
                    _signal(pid, signal.SIGKILL)
                process.popen.wait()

    def _start(self) -> None:
        self._stack.enter_context(self._machines)
        self._redis = RedisSet(self._machines, self.folder)
        self._stack.callback(self._redis.stop)
        self._redis.start()
        source = self.folder / "crossbar"
        shutil.copytree(ROOT / ".crossbar", source, ignore=shutil.ignore_patterns("__pycache__"))
        (source / "app.py").write_text(self._app)
        for n in range(NUMBER):
            self._start_up(n)
            # One after the other: each checks its folder first, which takes a core for seconds.
            wait_for(lambda n=n: self._has_started(n), f"machine {n + 1} is ready", 300)
        (port,) = free_ports(1)
        self.url = f"ws://127.0.0.1:{port}/ws"
        servers = "\n".join(f"    server node{n + 1} {self._machines.front(n)}:8080" for n in range(NUMBER))
        config = _CONFIG.read_text().replace("$port", str(port)).replace("    $servers", servers)
        (self.folder / "haproxy.cfg").write_text(config)
        self._start_haproxy()
        self.wait_until_ready()

    @property
    def router(self) -> str:
        """Where to push: each of the publish servers."""
        return ",".join(f"tcp://{self._machines.front(n)}:5557" for n in range(NUMBER))

    @property
    def operators(self) -> Mapping[str, str]:
        """The nodes' operator's ports by name: host and port."""
        return {name: f"{self._machines.front(n)}:8081" for n, name in enumerate(NODES)}

    def copy_log(self) -> None:
        """A log on an engine is replaced by none."""

    def wait_until_ready(self, timeout_s: float = 400.0) -> None:
        """Until each node says that it is ready and not degraded, and HAProxy answers."""
        for n, address in enumerate(self.operators.values()):
            wait_for(lambda url=f"http://{address}/ready": self._is_ready(url), f"machine {n + 1} is ready", timeout_s)
        page = self.url.replace("ws://", "http://").removesuffix("ws")
        wait_for(lambda: _says(page, ""), f"{page} is ready", timeout_s)

    def _is_ready(self, url: str) -> bool:
        self._revive_nodes()
        return _says(url, '"ready"')

    def _has_started(self, n: int) -> bool:
        self._revive_nodes()
        return "the node is ready" in (self.folder / f"up-{n + 1}.log").read_text(errors="replace")

    # -- faults

    def begin(self, fault: Fault) -> None:
        self.ends |= self._redis.committed_ends()
        self._master = self._redis.master
        ask = self._redis.try_to_ask
        match fault.kind:
            case "kill":
                for pid in list(self._pids(fault.target)):
                    _signal(pid, signal.SIGKILL)
            case "stop":
                self._stopped = list(self._pids(fault.target))
                for pid in self._stopped:
                    _signal(pid, signal.SIGSTOP)
            case "cut":
                self._machines.cut(self._machine(fault.target))
            case "lose":
                ask(self._master, "CONFIG", "SET", "min-replicas-to-write", 0)
                self._stopped = list(self._pids(REPLICAS))
                for pid in self._stopped:
                    _signal(pid, signal.SIGSTOP)
                # Else what is sent to them from now on waits in their sockets.
                ask(self._master, "CLIENT", "KILL", "TYPE", "replica")
                ask(self._master, "HSET", f"{_KEY}meta", "wait", 0)
            case "flush":
                ask(self._master, "FLUSHALL")
            case "forget":
                ask(self._master, "DEL", f"{_KEY}{fault.target}")
            case "unload":
                ask(self._master, "SCRIPT", "FLUSH")
            case "hang up":
                ask(self._master, "CLIENT", "KILL", "TYPE", "normal")
                ask(self._master, "CLIENT", "KILL", "TYPE", "pubsub")
            case "promote":
                with suppress(Exception):
                    self._redis.ask(self._master, "SENTINEL", "FAILOVER", MASTER_NAME, sentinel=True)
            case "full":
                ask(self._master, "CONFIG", "SET", "maxmemory", 1)

    def end(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                self._start_what_ended()
            case "stop":
                self._continue()
            case "cut":
                self._machines.mend(self._machine(fault.target))
            case "lose":
                for pid in _family(self._redis.process_of_redis(self._master)):
                    _signal(pid, signal.SIGKILL)
                self._continue()
                self._redis.wait_for_another_master(self._master)
                self._start_what_ended()
            case "full":
                for n in range(NUMBER):
                    self._redis.try_to_ask(n, "CONFIG", "SET", "maxmemory", 0)
        self._revive_nodes()
        self.ends |= self._redis.committed_ends()

    def _continue(self) -> None:
        for pid in self._stopped:
            _signal(pid, signal.SIGCONT)
        self._stopped = []

    def _start_what_ended(self) -> None:
        for n in range(NUMBER):
            if not _family(self._redis.process_of_redis(n)):
                self._redis.start_redis(n)
            if not _family(self._redis.process_of_sentinel(n)):
                self._redis.start_sentinel(n)
        if not _family(self._haproxy):
            self._start_haproxy()

    def _revive_nodes(self) -> None:
        """``stork up`` ends with its node, and is started again as Docker does it."""
        for n, process in enumerate(self._up):
            if process and process.popen.poll() is not None:
                self._start_up(n)

    # -- processes

    def _start_up(self, n: int) -> None:
        folder = self.folder / f"machine-{n + 1}"
        if not folder.exists():
            shutil.copytree(self.folder / "crossbar", folder / "crossbar")
        among = [self._machines.among(each) for each in range(NUMBER)]
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("STORK_", "CROSSBAR_"))},
            "STORK_TICKET": "chaos",
            "STORK_API_KEY": API_KEY,
            "STORK_BIND": "0.0.0.0",  # of its own namespace
            "STORK_NODE_NAME": f"node-{n + 1}",
            "STORK_PUBLISH_SERVER": ",".join(among),
            "STORK_ENGINE": f"redis+sentinel://:{PASSWORD}@{','.join(among)}/{MASTER_NAME}?sentinel_password={PASSWORD}",
            "STORK_DATA": str(folder / "data"),
            "PYTHONUNBUFFERED": "1",
        }
        command = [*self._machines.command(n), *STORK, "up", "--config", str(folder / "crossbar")]
        process = Process(command, self.folder / f"up-{n + 1}.log", environ, folder)
        self._up[n] = process
        self._processes.append(process)

    def _start_haproxy(self) -> None:
        command = ["haproxy", "-f", str(self.folder / "haproxy.cfg"), "-db"]
        self._haproxy = Process(command, self.folder / "haproxy.log", dict(os.environ))
        self._processes.append(self._haproxy)

    def _machine(self, target: str) -> int:
        return self._master if target == MASTER else MACHINES.index(target)

    def _pids(self, target: str) -> Iterator[int]:
        """The processes of a target; none where it is not there."""
        machines = range(NUMBER)
        if target == HAPROXY:
            yield from _family(self._haproxy)
        elif target in SENTINELS:
            yield from _family(self._redis.process_of_sentinel(SENTINELS.index(target)))
        elif target in (MASTER, REPLICAS, ENGINE, *REDIS):
            chosen = {
                MASTER: [self._master],
                REPLICAS: [n for n in machines if n != self._master],
                ENGINE: machines,
            }.get(target) or [REDIS.index(target)]
            for n in chosen:
                yield from _family(self._redis.process_of_redis(n))
        elif target in MACHINES:
            n = MACHINES.index(target)
            yield from _tree(self._up[n])
            yield from _family(self._redis.process_of_redis(n))
            yield from _family(self._redis.process_of_sentinel(n))
        elif target in SERVERS:
            yield from (pid for pid in _family(self._up[SERVERS.index(target)]) if _is_publish_server(pid))
        else:
            up = self._up[NODES.index(target)]
            for pid in _family(up)[1:]:
                if not _is_publish_server(pid):
                    yield from (pid, *children(pid))


def _is_publish_server(pid: int) -> bool:
    return "publish-server" in command_line(pid)


def _family(process: Process | None) -> list[int]:
    if process is None or process.popen.poll() is not None:
        return []
    return [process.popen.pid, *children(process.popen.pid)]


def _tree(process: Process | None) -> list[int]:
    return [each for pid in _family(process)[:1] for each in _descendants(pid)]


def _descendants(pid: int) -> list[int]:
    return [pid, *(each for child in children(pid) for each in _descendants(child))]


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _says(url: str, text: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200 and text in response.read().decode()
    except OSError:
        return False
