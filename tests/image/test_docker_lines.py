"""The `docker run` lines of README and book, run with free ports of this host and volumes of the test's own."""

import os
import re
import shlex
import subprocess

import pytest

from stork_node import Publisher
from tests.book import blocks
from tests.gateway import free_port_range, push_until_it_arrives
from tests.image.containers import Container, Containers
from tests.wamp import Client

pytestmark = pytest.mark.image

LINES = [line for _, _, _, text in blocks() for line in text.splitlines() if line.startswith("$ docker run ")]
PORTS = re.compile(r"(?:[\d.]+:)?(\d+)(?:-(\d+))?:(\d+)(?:-(\d+))?")
OTHER_HOST = "10.0.0.5"
TICKET = "ticket-of-the-lines"
PUSH, PAGE = 5557, 8080


class Line:
    """One line: ``options`` of docker run, ``command`` for the image, ``ports`` of this host by those of the image."""

    def __init__(self, text: str, name: str) -> None:
        words = shlex.split(text.removeprefix("$ docker run "))
        at = words.index("stork-node")
        self.name, self.options, self.command = name, words[:at], words[at + 1 :]
        self.ports: dict[int, int] = {}
        for i, word in enumerate(self.options):
            if self.options[i - 1] == "-p":
                self.options[i] = self._publish(word)
            elif self.options[i - 1] == "-v":
                self.options[i] = f"{name}-{word}"

    def _publish(self, word: str) -> str:
        first, last, inside, inside_last = PORTS.fullmatch(word).groups()
        number = int(last or first) - int(first) + 1
        free = free_port_range(number)
        self.ports |= {int(inside) + n: free + n for n in range(number)}
        if inside_last is None:
            return f"127.0.0.1:{free}:{inside}"
        return f"127.0.0.1:{free}-{free + number - 1}:{inside}-{inside_last}"

    @property
    def is_node(self) -> bool:
        return PAGE in self.ports

    def start(self, containers: Containers, image: str, network: str, server: str) -> Container:
        more = ["--network", network, "-e", f"STORK_TICKET={TICKET}"]
        options = [option.replace(OTHER_HOST, server) for option in self.options]
        container = containers.start(self.name, image, *self.command, options=[*options, *more])
        return container.wait_for_line("the node is ready" if self.is_node else "publish server is up")

    def join(self) -> Client:
        return Client(f"ws://127.0.0.1:{self.ports[PAGE]}/ws").join(TICKET)

    def publisher(self) -> Publisher:
        return Publisher(f"tcp://127.0.0.1:{self.ports[PUSH]}", 5000)


def test_every_docker_line_of_the_book_delivers_a_push(containers, image):
    prefix = f"stork-test-{os.getpid()}-line"
    lines = [Line(text, f"{prefix}{n}") for n, text in enumerate(LINES)]
    replicas = [line for line in lines if line.is_node and PUSH not in line.ports]
    gateways = [line for line in lines if line.is_node and PUSH in line.ports]
    [server] = [line for line in lines if not line.is_node]
    network = containers.network(prefix)
    try:
        for line in (server, *replicas, *gateways):
            line.start(containers, image, network, server.name)
        for line in (*replicas, *gateways):
            with line.join() as client, (line if line in gateways else server).publisher() as publisher:
                client.subscribe("v1.test.1")
                push_until_it_arrives(publisher, client, "v1.test.1")
    finally:
        for line in lines:
            subprocess.run([*containers.command, "rm", "--force", "--volumes", line.name], check=False)
        volumes = containers.call("volume", "ls", "--quiet", "--filter", f"name={prefix}").split()
        if volumes:
            containers.call("volume", "rm", *volumes)
    assert replicas
    assert gateways
