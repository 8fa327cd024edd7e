"""Containers of a test: docker where its daemon answers, else podman; each is known by a name, and removed by it."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.gateway import ROOT, wait_for

STAND_IN = ROOT.parent / "shared" / "tools"
# What podman needs where it may not set cgroups and limits of its own choice.
CONFINED = (["--runtime", "runc"], ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096"])
SECRET_ENVIRON = "STORK_", "CROSSBAR_"


class CommandFailed(AssertionError):
    """A command ended with another status than 0; ``output`` is what it said."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{' '.join(command)} ended with {status}:\n{output}")
        self.output = output


def run(command: Sequence[str], timeout_s: float = 60.0, **options: Any) -> str:
    """The output of ``command`` on stdout."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, **options)
    if done.returncode:
        raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
    return done.stdout.strip()


def own_environ(**more: str) -> dict[str, str]:
    """The environment without settings of a gateway, and with ``more``."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SECRET_ENVIRON)} | more


def _install_podman() -> None:
    """Install podman, a base image, and the needs of its networks, if no registry is in reach."""
    if not shutil.which("podman"):
        run([str(STAND_IN / "base-image")], timeout_s=600)
    if not shutil.which("iptables"):
        run(["apt-get", "install", "-y", "-qq", "iptables"], timeout_s=600)


class Containers:
    """
    The tool that runs containers.

    Attributes:
        program: docker or podman.
        confined: podman may not do all here, and is told so.
    """

    def __init__(self, program: str) -> None:
        self.program, self.confined = program, False
        self._names: list[str] = []
        self._networks: list[str] = []

    @classmethod
    def find(cls) -> "Containers | None":
        if (
            shutil.which("docker")
            and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
        ):
            return cls("docker")
        if (STAND_IN / "base-image").exists() and os.geteuid() == 0:
            _install_podman()
        return cls("podman") if shutil.which("podman") else None

    @property
    def command(self) -> list[str]:
        return [self.program, *(CONFINED[0] if self.confined else [])]

    @property
    def run_options(self) -> list[str]:
        return CONFINED[1] if self.confined else []

    def call(self, *arguments: str, timeout_s: float = 60.0) -> str:
        return run([*self.command, *arguments], timeout_s)

    def find_confinement(self, image: str) -> None:
        """Learn how a container can be run here; what fails both ways is the test's failure."""
        try:
            self.call("run", "--rm", image, "--version")
        except CommandFailed:
            self.confined = self.program == "podman"
            self.call("run", "--rm", *self.run_options, image, "--version")

    def network(self, name: str) -> str:
        self.call("network", "create", name)
        self._networks.append(name)
        return name

    def start(self, name: str, image: str, *command: str, options: Sequence[str] = ()) -> "Container":
        """``run --detach``; health is asked for by the tests, as podman's timers need systemd."""
        self._names.append(name)
        self.call("run", "--detach", "--name", name, *self.run_options, *options, image, *command)
        return Container(self, name)

    def remove_all(self) -> None:
        for name in reversed(self._names):
            subprocess.run([*self.command, "rm", "--force", "--volumes", name], capture_output=True, check=False)
        for name in self._networks:
            subprocess.run([*self.command, "network", "rm", name], capture_output=True, check=False)
        self._names, self._networks = [], []


class Container:
    def __init__(self, containers: Containers, name: str) -> None:
        self._containers, self.name = containers, name

    @property
    def log(self) -> str:
        done = subprocess.run(
            [*self._containers.command, "logs", self.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.stdout.decode(errors="replace")

    @property
    def details(self) -> dict[str, Any]:
        """The tool's data about the container."""
        [details] = json.loads(self._containers.call("inspect", self.name))
        return dict(details)

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.details["State"]
        return state

    def wait_for_line(self, text: str, timeout_s: float = 90.0) -> "Container":
        def said() -> bool:
            if text in self.log:
                return True
            if not self.state()["Running"]:
                raise AssertionError(f"{self.name} ended before {text!r}:\n{self.log}")
            return False

        try:
            wait_for(said, f"{self.name} says {text!r}", timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None
        return self

    def execute(self, *command: str, user: str | None = None) -> str:
        return self._containers.call("exec", *(["--user", user] if user else []), self.name, *command)

    def is_healthy(self) -> bool:
        """Run the image's own HEALTHCHECK."""
        inspected = json.loads(self._containers.call("inspect", self.name))[0]
        kind, *command = inspected["Config"]["Healthcheck"]["Test"]
        assert kind == "CMD", kind
        try:
            self.execute(*command)
        except CommandFailed as error:
            if "unhealthy" not in error.output:
                raise
            return False
        return True

    def process_ids(self, words: str) -> list[str]:
        """Its processes that have ``words`` on their command line, by their ids in the container."""
        script = 'for p in /proc/[0-9]*; do echo "${p#/proc/} $(tr "\\0" " " <$p/cmdline)"; done'
        processes = [line.partition(" ") for line in self.execute("sh", "-c", script).splitlines()]
        return [pid for pid, _, command in processes if words in command and "cmdline" not in command]

    def handles_sigterm(self) -> bool:
        """Whether its first process has a handler (``SigCgt`` in proc(5))."""
        [caught] = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", self.execute("cat", "/proc/1/status"), re.MULTILINE)
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def signal(self, name: str, pid: str) -> None:
        """``name`` to one of its processes, as in ``kill -STOP``."""
        self.execute("sh", "-c", f"kill -{name} {pid}")

    def stop(self, within_s: int) -> int:
        """SIGTERM, and its exit status; SIGKILL after ``within_s`` shows as 137."""
        self._containers.call("stop", "--time", str(within_s), self.name, timeout_s=within_s + 30)
        return int(self.state()["ExitCode"])

    def kill(self) -> None:
        self._containers.call("kill", "--signal", "KILL", self.name)

    def remove(self) -> None:
        """A container that has ended."""
        self._containers.call("rm", self.name)
