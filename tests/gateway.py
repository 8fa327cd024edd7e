"""A real deployment for tests: one publish server and nodes, on free ports, with a copy of the shipped .crossbar/."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stork_node import Publisher
from tests.wamp import Client

ROOT = Path(__file__).parent.parent
TICKET = "test-ticket"
API_KEY = "a-key-of-the-shipped-nodes"
BACKEND_SECRET = "test-backend-secret"
STORK = [sys.executable, "-m", "stork_node"]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and network namespaces need root")


_WORKERS = 16  # those that have ports of their own
_given: deque[int] = deque(maxlen=500)


def free_ports(number: int) -> list[int]:
    """
    Ports that are free now, and were not given lately. While a server is down, neither the kernel nor another worker of
    pytest-xdist gives them away.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    sockets: list[socket.socket] = []
    while len(sockets) < number:
        port = random.randrange(10_000, 32_000, _WORKERS) + worker
        if port in _given:
            continue
        each = socket.socket()
        try:
            each.bind(("127.0.0.1", port))
        except OSError:
            each.close()
        else:
            sockets.append(each)
            _given.append(port)
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def free_port_range(number: int) -> int:
    """The first of ``number`` ports that follow each other and are free now."""
    while True:
        first = random.randrange(7_000, 9_000 - number)  # free_ports gives none of these
        sockets = [socket.socket() for _ in range(number)]
        try:
            for n, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + n))
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
        return first


def wait_for(fact: Callable[[], Any], what: str, timeout_s: float = 60.0) -> Any:
    """Wait until ``fact()`` is true, and return it; fails after ``timeout_s`` with ``what`` was waited for."""
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at:
        found = fact()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {timeout_s:g} s")


def children(pid: int) -> list[int]:
    """The ids of the processes that ``pid`` has started and that are still there."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(entry))
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


class Process:
    """A child process whose output goes to a file."""

    def __init__(self, command: list[str], log: Path, environ: dict[str, str], cwd: Path = ROOT) -> None:
        self._log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environ, cwd=cwd
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_line(self, text: str, timeout_s: float = 150.0) -> None:
        def said() -> bool:
            if self.popen.poll() is not None and text not in self.log:
                raise AssertionError(f"ended with {self.popen.returncode} before {text!r}:\n{self.log}")
            return text in self.log

        try:
            wait_for(said, f"the line {text!r}", timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 60.0) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"still running {timeout_s:g} s after signal {number}:\n{self.log}") from None


class Node(Process):
    """A node of a deployment; ``url`` is its WebSocket, ``page_url`` its page, ``operator_url`` its operator's port."""

    def __init__(
        self, folder: Path, port: int, operator_port: int, log: Path, environ: dict[str, str], *arguments: str
    ) -> None:
        super().__init__([*STORK, "node", *arguments, "--config", str(folder)], log, environ)
        self.folder, self.port = folder, port
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.page_url = f"http://127.0.0.1:{port}/"
        self.operator_url = f"http://127.0.0.1:{operator_port}/"

    def workers(self, controller: str) -> list[int]:
        """The ids of its worker processes: of its ``RouterController`` or ``ContainerController``."""
        return [pid for pid in children(self.popen.pid) if controller in command_line(pid)]

    def connect(self, **options: Any) -> Client:
        """A connection that has not said HELLO."""
        return Client(self.url, **options)

    def join(self, ticket: str = TICKET, authid: str | None = None) -> Client:
        """A browser that was let in."""
        return self.connect().join(ticket, authid)

    def backend(self) -> Client:
        """A backend that was let in by WAMP-CRA."""
        return self.connect().join(authid="backend", secret=BACKEND_SECRET)


class Deployment:
    """
    One publish server and any number of nodes.

    Args:
        folder: a temporary folder.
        app: text of app.py in place of the shipped one.
        change: changes config.json (as an object) before a node starts.
        environ: more environment variables.
    """

    def __init__(
        self,
        folder: Path,
        *,
        app: str | None = None,
        change: Callable[[dict[str, Any]], None] | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.folder, self.app, self._change = folder, app, change
        self.pull, self.router, self.pub, self.replay = (f"tcp://127.0.0.1:{port}" for port in free_ports(4))
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("STORK_", "CROSSBAR_"))},
            "STORK_TICKET": TICKET,
            "CROSSBAR_BACKEND_SECRET": BACKEND_SECRET,
            "PYTHONUNBUFFERED": "1",
            "STORK_DATA": str(folder / "data"),
            **(environ or {}),
        }
        self.source = ROOT / ".crossbar"
        self.processes: list[Process] = []
        self.publish_server: Process | None = None
        self.nodes: list[Node] = []
        self.operator_ports: dict[int, int] = {}

    def __enter__(self) -> "Deployment":
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            process.stop()

    def start_publish_server(self, *arguments: str) -> Process:
        endpoints = ["--pull", self.pull, "--router", self.router, "--pub", self.pub, "--replay", self.replay]
        command = [*STORK, "publish-server", *endpoints, "--secret", self.environ.get("STORK_BUS_SECRET", "")]
        command += arguments
        self.publish_server = Process(command, self.folder / "publish-server.log", self.environ)
        self.processes.append(self.publish_server)
        return self.publish_server

    def write_folder(self, name: str = "crossbar") -> tuple[Path, int]:
        """A copy of .crossbar/ with free ports; returns it and its public port."""
        folder = self.folder / name
        shutil.copytree(self.source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        if self.app is not None:
            (folder / "app.py").write_text(self.app)
        config = json.loads((folder / "config.json").read_text())
        router, app, _ = config["workers"]
        port, operator_port = free_ports(2)
        router["transports"][0]["endpoint"]["port"] = port
        router["components"][1]["extra"] |= {"bus": self.pub, "replay": self.replay}
        router["components"][2]["extra"]["listen"] = f"tcp://127.0.0.1:{operator_port}"
        for component in router["components"][4:]:  # the HTTP API, and Pusher's protocol
            component["extra"]["push"] = self.router
        for component in app["components"]:
            component["extra"]["push"] = self.router
        arguments = ["--pull", self.pull, "--router", self.router, "--pub", self.pub, "--replay", self.replay]
        config["workers"][2]["arguments"] = ["publish-server", *arguments, "--secret", "${STORK_BUS_SECRET:-}"]
        if self._change:
            self._change(config)
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        self.operator_ports[port] = operator_port
        return folder, port

    def start_node(self, name: str = "node", *, wait: bool = True) -> Node:
        folder, port = self.write_folder(name)
        # One that a test waits for is fine: as after ``stork up``, it need not check its folder, which takes a second.
        arguments = ["--checked"] if wait else []
        node = Node(folder, port, self.operator_ports[port], self.folder / f"{name}.log", self.environ, *arguments)
        self.processes.append(node)
        self.nodes.append(node)
        if wait:
            node.wait_for_line("the node is ready")
        return node

    def publisher(self, **options: Any) -> Publisher:
        return Publisher(self.router, **options)


def push_until_it_arrives(publisher: Publisher, client: Client, topic: str) -> dict[str, Any]:
    """Push again and again until one arrives: what comes before a relay has connected does not, without replay."""

    def arrived() -> dict[str, Any] | None:
        publisher.push(topic, type="again")
        try:
            return client.event(timeout_s=0.5)[1]
        except TimeoutError:
            return None

    event: dict[str, Any] = wait_for(arrived, f"a push to {topic}")
    return event
