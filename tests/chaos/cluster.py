"""The system under test: publish server, two nodes, HAProxy, links that can be cut, a disk that can be full."""

import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from string import Template
from typing import Any, Self

from tests.chaos.histories import Replaced
from tests.chaos.schedule import APPLICATIONS, BUSES, HAPROXY, LINKS, NODES, SERVER, Fault
from tests.gateway import API_KEY, Deployment, Node, Process, children, free_ports, wait_for
from tests.link import Link

DISK_BYTES = 400 << 20
COPY_AGE_S = 5.0  # no copy of the log is younger when it is used

_CONFIG = Path(__file__).parent / "haproxy.cfg"
_APP = Path(__file__).parent / "app.py"


class Cluster(Deployment):
    """
    ``url`` is where clients connect: HAProxy's WebSocket; ``operators`` are the nodes' operator's ports by name.

    ``replaced`` tells when the log was replaced by an older copy. A fault is done by ``begin`` and undone by ``end``;
    whatever has been killed by then is started again.
    """

    def __init__(self, folder: Path, app: str | None = None) -> None:
        super().__init__(folder, app=app or _APP.read_text(), change=self._set_ports)
        self.replaced: list[Replaced] = []
        self.ends = None
        self._stack = ExitStack()
        self._disk = folder / "disk"
        self._log = self._disk / "log"
        self._copy: tuple[float, Path] | None = None
        self._copy_used = 0
        self.environ |= {"STORK_DATA": str(self._disk), "STORK_API_KEY": API_KEY}
        self._haproxy: Process | None = None

    def __enter__(self) -> Self:
        self._disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "stork-chaos", self._disk], check=True)
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(self._disk)], check=True)
        links = {name: Link(self.pub if name.endswith("pub") else self.replay) for name in self._bus_links()}
        ports = free_ports(2 * len(NODES) + 1)
        self._node_ports, haproxy_port = [(ports[0], ports[1]), (ports[2], ports[3])], ports[4]
        self.operators = {name: operator for name, (_, operator) in zip(NODES, self._node_ports, strict=True)}
        for name, (port, _) in zip(LINKS, self._node_ports, strict=True):
            links[name] = Link(f"tcp://127.0.0.1:{port}")
        self._links = {name: self._stack.enter_context(link) for name, link in links.items()}
        self.url = f"ws://127.0.0.1:{haproxy_port}/ws"
        self._write_haproxy_config(haproxy_port)
        self._start(SERVER)
        for name in (*NODES, HAPROXY):
            self._start(name)
        self.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for process in reversed(self.processes):
                for pid in _family(process):
                    _signal(pid, signal.SIGCONT)
            super().__exit__()
        finally:
            self._stack.close()

    def wait_until_ready(self, timeout_s: float = 400.0) -> None:
        """Until both nodes say that they are ready, and HAProxy answers."""
        urls = [f"http://127.0.0.1:{operator}/ready" for _, operator in self._node_ports]
        urls.append(self.url.replace("ws://", "http://").removesuffix("ws"))
        for url in urls:
            wait_for(lambda url=url: _answers(url), f"{url} is ready", timeout_s)

    # -- faults

    def begin(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                for pid in self._pids(fault.target):
                    _signal(pid, signal.SIGKILL)
            case "stop":
                self._stopped = self._pids(fault.target)
                for pid in self._stopped:
                    _signal(pid, signal.SIGSTOP)
            case "reset" | "swallow":
                for link in self._of(fault.target):
                    link.cut(reset=fault.kind == "reset")
            case "full":
                self._fill()
            case "replace":
                for pid in self._pids(SERVER):
                    _signal(pid, signal.SIGKILL)

    def end(self, fault: Fault) -> None:
        match fault.kind:
            case "kill" if fault.target not in APPLICATIONS:
                self._start(fault.target)
            case "stop":
                for pid in self._stopped:
                    _signal(pid, signal.SIGCONT)
            case "reset" | "swallow":
                for link in self._of(fault.target):
                    link.mend()
            case "full":
                (self._disk / "ballast").unlink()
            case "replace":
                self._replace_log()
                self._start(SERVER)

    def copy_log(self) -> None:
        """Take a copy for later, of the log as it is while it is written."""
        self._copy, self._copy_used = (time.time(), self.folder / "copy"), 0
        shutil.rmtree(self._copy[1], ignore_errors=True)
        shutil.copytree(self._log, self._copy[1])

    def _replace_log(self) -> None:
        if self._copy is None or time.time() - self._copy[0] < COPY_AGE_S:
            return
        shutil.rmtree(self._log)
        shutil.copytree(self._copy[1], self._log)
        self._copy_used += 1
        self.replaced.append(Replaced(self._copy[0], time.time()))

    @property
    def wants_copy(self) -> bool:
        """Each copy is used twice: the second time, the nodes follow an epoch of which it knows nothing."""
        return self._copy is None or self._copy_used == 2

    def _fill(self) -> None:
        ballast = os.open(self._disk / "ballast", os.O_CREAT | os.O_WRONLY)
        size = 16 << 20
        used = 0
        while size >= 512:
            try:
                os.posix_fallocate(ballast, used, size)
                used += size
            except OSError:
                size //= 2
        os.close(ballast)

    # -- processes

    def _start(self, target: str) -> None:
        if target == SERVER:
            self.start_publish_server()
        elif target == HAPROXY:
            command = ["haproxy", "-f", str(self.folder / "haproxy.cfg"), "-db"]
            self._haproxy = Process(command, self.folder / "haproxy.log", self.environ)
            self.processes.append(self._haproxy)
        else:
            self._start_node(NODES.index(target))

    def _start_node(self, index: int) -> None:
        self._index = index
        name = f"node-{index + 1}"
        folder = self.folder / name
        if not folder.exists():
            self.write_folder(name)
        port, operator_port = self._node_ports[index]
        # The folder is fine, and to check it takes seconds.
        node = Node(folder, port, operator_port, self.folder / f"{name}.log", self.environ, "--checked")
        self.processes.append(node)
        self.nodes[index : index + 1] = [node]

    def _set_ports(self, config: dict[str, Any]) -> None:
        router = config["workers"][0]
        port, operator_port = self._node_ports[self._index]
        pub, replay = (link.endpoint for link in self._of(BUSES[self._index]))
        router["transports"][0]["endpoint"]["port"] = port
        router["components"][1]["extra"] |= {"bus": pub, "replay": replay}
        router["components"][2]["extra"]["listen"] = f"tcp://127.0.0.1:{operator_port}"

    def _write_haproxy_config(self, port: int) -> None:
        (_, operator1), (_, operator2) = self._node_ports
        ports = {"port": port, "operator1": operator1, "operator2": operator2}
        ports |= {f"link{n}": self._links[name].endpoint.rpartition(":")[2] for n, name in enumerate(LINKS, 1)}
        (self.folder / "haproxy.cfg").write_text(Template(_CONFIG.read_text()).substitute(ports))

    def _bus_links(self) -> list[str]:
        return [f"{bus} {socket}" for bus in BUSES for socket in ("pub", "replay")]

    def _of(self, target: str) -> Sequence[Link]:
        if target in LINKS:
            return [self._links[target]]
        return [self._links[f"{target} pub"], self._links[f"{target} replay"]]

    def _pids(self, target: str) -> list[int]:
        """The processes of a target; empty where it is not there."""
        if target == SERVER:
            return _family(self.publish_server)
        if target == HAPROXY:
            return _family(self._haproxy)
        if target in NODES:
            return _family(self.nodes[NODES.index(target)])
        return self.nodes[APPLICATIONS.index(target)].workers("ContainerController")


def _family(process: Process | None) -> list[int]:
    if process is None or process.popen.poll() is not None:
        return []
    return [process.popen.pid, *children(process.popen.pid)]


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
