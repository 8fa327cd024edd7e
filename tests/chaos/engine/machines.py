"""Three machines on one: network namespaces with a network for clients, and one among themselves that can be cut."""

import os
import subprocess
from contextlib import ExitStack
from typing import Self

from tests.e2e.network import Namespace

NUMBER = 3
AMONG = "10.77.0"


class Machines:
    """
    Machine ``n`` (0, 1, 2) has ``front(n)``, which everybody reaches, and ``among(n)``, which only the others reach.

    ``command(n)`` in front of another command runs that on the machine.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        # Several tests may have machines at once, and each has addresses of its own here.
        self._net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self._here = f"stork{os.getpid() % 100_000}"

    def __enter__(self) -> Self:
        self._switch = self._stack.enter_context(Namespace())
        self._machines = [self._stack.enter_context(Namespace()) for _ in range(NUMBER)]
        inside = _process_of(self._switch)
        for bridge in ("among", "front"):
            self._on_switch("link", "add", bridge, "type", "bridge")
            self._on_switch("link", "set", bridge, "up")
        for n, machine in enumerate(self._machines):
            for network, address in (("among", self.among(n)), ("front", self.front(n))):
                end = f"{network}{n}"
                pair = ["type", "veth", "peer", "name", end, "netns", inside]
                _run("ip", "link", "add", network, "netns", _process_of(machine), *pair)
                self._on_switch("link", "set", end, "master", network, "up")
                _run(*machine.command, "ip", "address", "add", f"{address}/24", "dev", network)
                _run(*machine.command, "ip", "link", "set", network, "up")
        _run("ip", "link", "add", self._here, "type", "veth", "peer", "name", "here", "netns", inside)
        self._on_switch("link", "set", "here", "master", "front", "up")
        _run("ip", "address", "add", f"{self._net}.254/24", "dev", self._here)
        _run("ip", "link", "set", self._here, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def front(self, n: int) -> str:
        return f"{self._net}.{n + 1}"

    def among(self, n: int) -> str:
        return f"{AMONG}.{n + 1}"

    def command(self, n: int) -> list[str]:
        return self._machines[n].command

    def cut(self, n: int) -> None:
        """No packet passes between this machine and the others, and nobody is told."""
        self._on_switch("link", "set", f"among{n}", "nomaster")

    def mend(self, n: int) -> None:
        self._on_switch("link", "set", f"among{n}", "master", "among")

    def _on_switch(self, *arguments: str) -> None:
        _run(*self._switch.command, "ip", *arguments)


def _process_of(namespace: Namespace) -> str:
    return namespace.command[1].split("/")[2]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
