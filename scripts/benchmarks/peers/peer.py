"""The interface of the cases to a measured server."""

import re
import shutil
import string
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from benchmarks.load_client import Address
from benchmarks.processes import Child, memory_bytes
from benchmarks.pushing import Pusher
from benchmarks.tools import Package

CONFIGURATIONS = Path(__file__).parent / "configuration"


class Peer:
    """
    A server, started anew for each measurement: a context manager, on free ports of loopback.

    Attributes:
        name: on the command line and in the results.
        label: in the table and in the plot.
        packages: Debian's, that it needs.
        address: where subscribers connect, once it has started.
        push_port: where a backend pushes.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    packages: ClassVar[Sequence[Package]] = ()
    address: Address
    push_port: int

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[Child] = []

    @classmethod
    def install(cls) -> None:
        """Build what comes as source; Debian's packages are there already."""

    @classmethod
    def version(cls) -> str:
        """The version of the server, for the results."""
        raise NotImplementedError

    def start(self) -> None:
        """
        Start its processes, and wait until it takes subscribers and pushes.

        Raises:
            MeasurementFailed: it does not come up.
        """
        raise NotImplementedError

    def pusher(self) -> Pusher:
        raise NotImplementedError

    def http_push(self, topic: str, event: bytes) -> tuple[str, str, bytes]:
        """The URL, key and body that push an event over HTTP, for peers that have such an API."""
        raise NotImplementedError

    def memory_bytes(self) -> int:
        """Resident memory of all its processes."""
        return memory_bytes([child.pid for child in self.children])

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        for child in reversed(self.children):
            child.stop()

    def run(self, name: str, *command: str | Path, environ: dict[str, str] | None = None) -> Child:
        """Start one of its processes."""
        child = Child(name, command, self.folder, environ)
        self.children.append(child)
        return child

    def configure(self, name: str, **values: object) -> Path:
        """Write a file of configuration/ into the folder, with ``${NAME}`` replaced."""
        path = self.folder / name
        path.write_text(string.Template((CONFIGURATIONS / name).read_text()).substitute(values))
        return path


def program(name: str) -> str:
    """The path of a server's program; Debian keeps servers outside a user's PATH."""
    return shutil.which(name) or f"/usr/sbin/{name}"


def version_in(text: str) -> str:
    """The first version number in what a program says of itself."""
    found = re.search(r"\d+\.\d+(\.\d+)?", text)
    return found[0] if found else "unknown"
