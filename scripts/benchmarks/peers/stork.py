"""Stork node: the shipped ``.crossbar/`` on free ports, with the application in configuration/stork_app.py."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load_client import Address
from benchmarks.peers.json_web_token import sign
from benchmarks.peers.peer import CONFIGURATIONS, Peer
from benchmarks.processes import Child, free_ports
from benchmarks.pushing import ZmqPusher, push_document
from benchmarks.tools import ROOT, run

TICKET = "bench-ticket"
_API_KEY = "bench-key-of-the-http-api"
STORK = [sys.executable, "-m", "stork_node"]


@dataclass(frozen=True)
class Bus:
    """The publish server's ports, named as its flags."""

    pull: int
    router: int
    pub: int
    replay: int

    def flags(self) -> list[str]:
        return [part for name, port in vars(self).items() for part in (f"--{name}", f"tcp://127.0.0.1:{port}")]


@dataclass(frozen=True)
class Node:
    """One node that runs."""

    port: int
    operator_port: int
    child: Child


class Stork(Peer):
    """One publish server with its log, and one node."""

    name = "stork"
    label = "Stork node"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bus = Bus(*free_ports(4))
        self.nodes: list[Node] = []
        self._ticket = TICKET
        self._environ = {
            "STORK_TICKET": TICKET,
            "STORK_DATA": str(folder / "data"),
            "STORK_API_KEY": _API_KEY,
        }

    @classmethod
    def version(cls) -> str:
        return run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], "not a git repository").strip()

    def start(self) -> None:
        self.start_publish_server()
        self.address = self.start_node("node")

    def start_publish_server(self) -> Child:
        command = [*STORK, "publish-server", *self.bus.flags()]
        self.publish_server = self.run("publish-server", *command, environ=self._environ)
        self.publish_server.wait_for_line("publish server is up")
        self.push_port = self.bus.pull
        return self.publish_server

    def start_node(self, name: str) -> Address:
        """Start one more node of the deployment; returns where its subscribers connect."""
        port, operator_port = free_ports(2)
        folder = self._write_folder(name, port, operator_port)
        child = self.run(name, *STORK, "node", "--config", folder, environ=self._environ)
        self.nodes.append(Node(port, operator_port, child))
        child.wait_for_line("the node is ready")
        return Address(port, "/ws", "wamp", self._ticket)

    def pusher(self) -> ZmqPusher:
        return ZmqPusher(self.push_port)

    def http_push(self, topic: str, event: bytes) -> tuple[str, str, bytes]:
        return f"http://127.0.0.1:{self.nodes[0].operator_port}/api/push", _API_KEY, push_document(topic, event)

    def _write_folder(self, name: str, port: int, operator_port: int) -> Path:
        folder = self.folder / f"{name}-crossbar"
        shutil.copytree(ROOT / ".crossbar", folder, ignore=shutil.ignore_patterns("__pycache__", "*.sock*", "key.*"))
        shutil.copy(CONFIGURATIONS / "stork_app.py", folder / "app.py")
        config = json.loads((folder / "config.json").read_text())
        router, app, _ = config["workers"]
        router["transports"][0]["endpoint"]["port"] = port
        self._point_components(router["components"], operator_port)
        for component in app["components"]:
            component["extra"]["push"] = f"tcp://127.0.0.1:{self.bus.router}"
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        return folder

    def _point_components(self, components: list[dict], operator_port: int) -> None:
        for component in components:
            extra = component["extra"]
            if component["classname"].endswith(".Relay"):
                extra["bus"] = f"tcp://127.0.0.1:{self.bus.pub}"
                if "replay" in extra:
                    extra["replay"] = f"tcp://127.0.0.1:{self.bus.replay}"
            if component["classname"].endswith(".Guard"):
                # All subscribers of a benchmark come from one address, at once, as one user.
                limits = ("connections", "connections_per_address", "joins_per_second", "sessions_per_user")
                extra["limits"] = dict.fromkeys(limits, 1_000_000)
            if component["classname"].endswith(".Api"):
                extra["push"] = f"tcp://127.0.0.1:{self.bus.router}"
                extra["limits"] = {"pushes_per_second": 1_000_000}
            if "listen" in extra:
                extra["listen"] = f"tcp://127.0.0.1:{operator_port}"


class StorkJwt(Stork):
    """The same node, whose subscribers join by a token that permits their topics: it asks nobody."""

    name = "stork-jwt"
    label = "Stork node, JWT"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._environ["STORK_JWT_KEY"] = secret = "a-secret-of-the-benchmark-of-32-bytes"
        self._ticket = sign({"sub": "frontend", "topics": ["v1.bench.*"]}, secret)


class PublishServer(Stork):
    """The publish server without a node."""

    name = "publish-server"
    label = "publish server"

    def start(self) -> None:
        self.start_publish_server()
