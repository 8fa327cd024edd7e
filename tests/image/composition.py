"""compose.yaml, run by docker compose or podman-compose, with a network and a project name of its own."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from stork_node import Publisher
from tests.gateway import ROOT, free_ports, wait_for
from tests.image.containers import Container, Containers, own_environ, run

TICKET = "composition-ticket"
SECRET = "composition-bus-secret"
# As in compose.yaml: how long a node may take that is asked to stop.
STOPS_WITHIN_S = 45


class Composition:
    """
    Args:
        containers: what runs it.
        checkout: a folder with compose.yaml and all that it mounts.
        images: of the node, and of HAProxy.
    """

    def __init__(self, containers: Containers, checkout: Path, images: tuple[str, str]) -> None:
        self._containers, self._checkout = containers, checkout
        self.project = f"stork-test-{os.getpid()}-{checkout.name}".lower()
        self.http, self.balancer, self.pull, self.push_port = free_ports(4)
        self.url = f"ws://127.0.0.1:{self.http}/ws"
        self.page_url = f"http://127.0.0.1:{self.http}/"
        self.environ = own_environ(
            STORK_TICKET=TICKET,
            STORK_BUS_SECRET=SECRET,
            STORK_IMAGE=images[0],
            HAPROXY_IMAGE=images[1],
            STORK_HTTP=f"127.0.0.1:{self.http}",
            STORK_BALANCER=str(self.balancer),
            STORK_PULL=str(self.pull),
            STORK_PUSH=str(self.push_port),
            STORK_NOFILE="20000",
            STORK_DRAIN_SPREAD_S="3",
        )

    @property
    def _compose(self) -> list[str]:
        if self._containers.program == "docker":
            return ["docker", "compose", "--project-name", self.project]
        confined = []
        if self._containers.confined:
            # nofile is in compose.yaml.
            confined = ["--podman-args=--runtime=runc", "--podman-run-args=--ulimit=nproc=4096:4096 --no-healthcheck"]
        return [
            str(Path(sys.executable).with_name("podman-compose")),
            *confined,
            "--in-pod=false",
            "--project-name",
            self.project,
        ]

    def call(self, *arguments: str) -> str:
        return run([*self._compose, *arguments], timeout_s=180, cwd=self._checkout, env=self.environ)

    def __enter__(self) -> "Composition":
        self.call("up", "--detach")
        return self

    def __exit__(self, *_: object) -> None:
        for container in self._all():
            subprocess.run(
                [*self._containers.command, "rm", "--force", "--volumes", container.name],
                capture_output=True,
                check=False,
            )
        for kind in ("network", "volume"):
            found = self._containers.call(kind, "ls", "--quiet", "--filter", f"label={self._label}").split()
            if found:
                self._containers.call(kind, "rm", *found)

    @property
    def _label(self) -> str:
        return f"com.docker.compose.project={self.project}"

    def _all(self, service: str | None = None, *, running: bool = False) -> list[Container]:
        filters = ["--filter", f"label={self._label}"]
        if service:
            filters += ["--filter", f"label=com.docker.compose.service={service}"]
        if running:
            filters += ["--filter", "status=running"]
        names = self._containers.call("ps", "--all", *filters, "--format", "{{.Names}}").split()
        return [Container(self._containers, name) for name in sorted(names)]

    @property
    def nodes(self) -> list[Container]:
        """The running nodes."""
        return self._all("node", running=True)

    @property
    def haproxy(self) -> Container:
        [container] = self._all("haproxy")
        return container

    @property
    def gateway(self) -> str:
        """This host's address in the network of the composition."""
        [network] = self.haproxy.details["NetworkSettings"]["Networks"].values()
        return str(network["Gateway"])

    def scale(self, number: int) -> None:
        """Scale like docker compose; podman-compose starts more nodes, and stops none."""
        self.call("up", "--detach", "--no-recreate", "--scale", f"node={number}", "node")
        if more := [container.name for container in self.nodes[number:]]:
            self._containers.call("stop", "--time", str(STOPS_WITHIN_S), *more, timeout_s=STOPS_WITHIN_S + 30)

    def remove_stopped(self) -> None:
        """So that the next ``scale`` makes anew what was stopped or killed."""
        running = {container.name for container in self.nodes}
        for container in self._all("node"):
            if container.name not in running:
                self._containers.call("rm", "--volumes", container.name)

    def servers(self, backend: str = "nodes") -> int | None:
        """How many nodes HAProxy sends clients of ``backend`` to; None while it makes up its mind about one."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.balancer}/metrics", timeout=10) as answer:
                metrics = answer.read().decode()
        except OSError:  # HAProxy is still starting
            return None

        def count(metric: str, state: str) -> int:
            line = rf'^haproxy_server_{metric}{{proxy="{backend}",server="[^"]+",state="{state}"}} 1$'
            return len(re.findall(line, metrics, re.MULTILINE))

        # A server that DNS has just named counts as up until its first check, and one that hangs until its second.
        used, passed = count("status", "UP"), count("check_status", "L7OK")
        return used if used == passed else None

    def wait_for_servers(self, number: int, timeout_s: float = 60.0, backend: str = "nodes") -> None:
        wait_for(lambda: self.servers(backend) == number, f"{number} {backend} behind HAProxy", timeout_s)

    def publisher(self) -> Publisher:
        return Publisher(f"tcp://127.0.0.1:{self.push_port}", 5000, SECRET)

    def push_from_php(self, topic: str, number: int) -> None:
        command = ["php", str(ROOT / "scripts/push.php"), f"--endpoint=tcp://127.0.0.1:{self.push_port}"]
        run([*command, topic, "numbered", json.dumps({"n": number})], env=self.environ)

    def get(self, path: str = "") -> int:
        """The HTTP status of a page, asked for by HAProxy's address."""
        try:
            with urllib.request.urlopen(self.page_url + path, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
