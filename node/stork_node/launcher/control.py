"""
The control socket of a node, for ``stork reload``: a Unix socket whose name comes from the configuration's folder.

The client sends one line with a command. The node answers with lines of JSON: ``{"progress": "…"}`` any number of
times, then ``{"done": "…"}`` or ``{"error": "…"}``. Then it closes.
"""

import contextlib
import hashlib
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stork_node.errors import StorkError

Answer = Iterator[tuple[str, str]]

RELOAD = b"reload"
_LONGEST_PATH_BYTES = 107  # unix(7)
# Time for three processes that start one after another.
_ANSWER_TIMEOUT_S = 300.0


class NoPlace(StorkError):
    """There is no folder for the socket to which only this user can write."""


class NodeLost(StorkError):
    """A node ended in the middle of an answer."""


def socket_path(folder: Path, environ: Mapping[str, str], pid: int) -> Path:
    """
    The path of the socket of the node ``pid``, which runs ``folder``.

    Raises:
        NoPlace: another user owns its folder, or the folder cannot be made.
    """
    reasons = []
    for place in _places(environ):
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            path = place / f"{_key(folder)}.{pid}.sock"
            if len(os.fsencode(path)) > _LONGEST_PATH_BYTES:
                reasons.append(f"{path} is too long for a socket")
            elif _is_private(place):
                return path
            else:
                reasons.append(f"{place} is not this user's alone")
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
    raise NoPlace("; ".join(reasons))


def find_sockets(folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """The sockets of the nodes that run ``folder``, and of some that have died."""
    found = []
    for place in _places(environ):
        if place.is_dir() and _is_private(place):
            found += sorted(place.glob(f"{_key(folder)}.*.sock"))
    return found


def ask(path: Path, command: bytes) -> Answer | None:
    """
    Send a command; yields the parts of the answer, such as ``("progress", "…")``. None if no node listens.

    Raises:
        NodeLost: the answer ends too early.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_ANSWER_TIMEOUT_S)
    try:
        connection.connect(str(path))
        connection.sendall(command + b"\n")
    except OSError:
        connection.close()
        with contextlib.suppress(OSError):
            path.unlink()  # of a node that was killed
        return None
    return _answers(connection)


def _answers(connection: socket.socket) -> Answer:
    try:
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                [(kind, text)] = json.loads(line).items()
                yield kind, text
                if kind != "progress":
                    return
    except (OSError, ValueError) as error:
        raise NodeLost(f"the node did not answer to the end: {error}") from None
    raise NodeLost("the node went away before it had answered")


def encode(kind: str, text: str) -> bytes:
    """One line of an answer."""
    answer: dict[str, Any] = {kind: text}
    return json.dumps(answer).encode() + b"\n"


def _key(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]


def _places(environ: Mapping[str, str]) -> list[Path]:
    """The possible folders. A login session has a folder of its own, a service often not: the command looks in both."""
    uid = os.getuid()
    runtimes = [environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"]
    places = [Path(runtime) / "stork" for runtime in runtimes if runtime and Path(runtime).is_dir()]
    return list(dict.fromkeys([*places, Path(f"/tmp/stork-{uid}")]))  # noqa: S108  # private, which is checked


def _is_private(place: Path) -> bool:
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
