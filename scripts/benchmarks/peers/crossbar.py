"""Stock Crossbar with the original's way of relaying, and its auth client in a container."""

import shutil
import sys
from importlib import metadata
from pathlib import Path

from benchmarks.load_client import Address
from benchmarks.peers.peer import CONFIGURATIONS, Peer
from benchmarks.peers.stork import TICKET
from benchmarks.processes import free_ports
from benchmarks.pushing import ZmqPusher


class Crossbar(Peer):
    name = "crossbar"
    label = "stock Crossbar"

    @classmethod
    def version(cls) -> str:
        return metadata.version("crossbar")

    def start(self) -> None:
        port, self.push_port = free_ports(2)
        shutil.copytree(
            CONFIGURATIONS / "crossbar", self.folder / "crossbar", ignore=shutil.ignore_patterns("__pycache__")
        )
        node = self.folder / "crossbar" / ".crossbar"
        node.mkdir()
        (self.folder / "crossbar" / "config.json").rename(node / "config.json")
        config = node / "config.json"
        config.write_text(config.read_text().replace("$port", str(port)))
        crossbar = Path(sys.executable).with_name("crossbar")
        command = [crossbar, "start", "--cbdir", node, "--loglevel", "warn"]
        server = self.run("crossbar", *command, environ={"STORK_TICKET": TICKET})
        server.wait_for_port(port)
        server.wait_for_line("the auth client has registered")
        relay = self.run(
            "stock-relay",
            sys.executable,
            self.folder / "crossbar" / "stock_relay.py",
            str(self.push_port),
            node / "router.sock",
        )
        relay.wait_for_port(self.push_port)
        self.address = Address(port, "/", "wamp", TICKET)

    def pusher(self) -> ZmqPusher:
        return ZmqPusher(self.push_port)
