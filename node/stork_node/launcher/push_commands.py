"""Commands that push, as they work where ``stork`` was started: in a clone, after pip, and in a container."""

import json
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from stork_node.config import configuration
from stork_node.config.expansion import expand
from stork_node.config.old_components import push_setting
from stork_node.errors import Problem
from stork_node.resources import push_script
from stork_node.transport.endpoints import Endpoint, Port, local_endpoint, publish_server_endpoint

# ``stork up`` hands them down to the process that serves the page. The name is not one of a setting.
VARIABLE = "_STORK_PUSH_COMMANDS"

_INITS = frozenset({"docker-init", "tini", "catatonit", "dumb-init"})
_EXEC = {"/.dockerenv": "docker exec", "/run/.containerenv": "podman exec"}
_DATA = shlex.quote('{"n": 1}')


@dataclass(frozen=True)
class PushCommands:
    """
    Beginnings of commands, for a shell in the folder where ``stork`` was started.

    Attributes:
        stork: the running program; in a container the command that runs it from outside.
        php: scripts/push.php, or None if that or PHP is missing.
        python: scripts/push.py, or None if that is missing.
        options: ``--endpoint=…`` where the publish server is not at its default place, otherwise empty.
        in_container: whether the commands are for the host of the container.
        encrypted: whether pushers need ``STORK_BUS_SECRET``.
    """

    stork: str = "stork"
    php: str | None = None
    python: str | None = None
    options: str = ""
    in_container: bool = False
    encrypted: bool = False

    @classmethod
    def here(cls, argv0: str, environ: Mapping[str, str]) -> Self:
        """The commands for the running program, whose name is ``argv0``."""
        program = _program(Path(argv0))
        if entry := _container_entry(environ):
            return cls(f"{entry} {program}", in_container=True)
        php, python = push_script("php"), push_script("py")
        return cls(
            program,
            f"php {_from_here(php)}" if php and shutil.which("php") else None,
            f"{_from_here(Path(sys.executable))} {_from_here(python)}" if python else None,
        )

    @classmethod
    def of_node(cls, argv0: str, folder: Path, environ: Mapping[str, str]) -> Self:
        """
        The commands for the publish server that the application of ``folder`` pushes to.

        Raises:
            ConfigError: config.json cannot be read, or names no endpoint there.
        """
        problems: list[Problem] = []
        written = push_setting(configuration.load(folder, environ).crossbar.get("workers", []))
        endpoint = expand(written, environ, "push", problems) or publish_server_endpoint(Port.ROUTER, environ)
        return cls.here(argv0, environ).to(endpoint.partition(",")[0], encrypted=bool(environ.get("STORK_BUS_SECRET")))

    @classmethod
    def handed_down(cls, environ: Mapping[str, str]) -> Self | None:
        text = environ.get(VARIABLE)
        return cls(**json.loads(text)) if text else None

    def to(self, endpoint: str, *, encrypted: bool) -> Self:
        """The same commands for a publish server: the endpoint on which it answers pushes, as bound or as reached."""
        bound = Endpoint.parse(endpoint)
        reached = str(Endpoint(bound.to_reach, bound.port))
        options = "" if reached == local_endpoint(Port.ROUTER) else shlex.quote(f"--endpoint={reached}")
        # In the container, the command finds the secret in its environment.
        return replace(self, options=options, encrypted=encrypted and not self.in_container)

    def lines(self, topic: str) -> dict[str, str]:
        """The whole commands, by a label."""
        lines = {"Push": f"{self.stork} push {topic} --type hello --data {_DATA} {self.options}"}
        if self.php:
            lines["PHP"] = f"{self.php} {topic} hello {_DATA} {self.options}"
        return {label: line.rstrip() for label, line in lines.items()}

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def environ(self) -> dict[str, str]:
        """For a child process, which finds them with ``handed_down``."""
        return {VARIABLE: json.dumps(self.as_json())}


def _container_entry(environ: Mapping[str, str]) -> str | None:
    """The command that enters this container, if ``stork`` is its main process; None anywhere else."""
    if os.getpid() != 1 and not (os.getppid() == 1 and _name_of_init() in _INITS):
        return None
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return f"kubectl exec {socket.gethostname()} --"
    command = next((command for marker, command in _EXEC.items() if Path(marker).exists()), None)
    return f"{command} {socket.gethostname()}" if command else None


def _name_of_init() -> str:
    try:
        return Path("/proc/1/comm").read_text().strip()
    except OSError:
        return ""


def _program(argv0: Path) -> str:
    if argv0.name != "stork":  # python -m stork_node
        beside = Path(sys.executable).with_name("stork")
        if not beside.is_file():
            return f"{_from_here(Path(sys.executable))} -m stork_node"
        argv0 = beside
    on_path = shutil.which("stork")
    return "stork" if on_path and Path(on_path).resolve() == argv0.resolve() else _from_here(argv0)


def _from_here(path: Path) -> str:
    absolute = Path(os.path.abspath(path))  # not resolve(): the user knows the link
    here = Path.cwd()
    return shlex.quote(str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute))
