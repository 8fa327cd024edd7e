"""The load client (``load/``, in C): starts it, and speaks with it."""

import json
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.errors import MeasurementFailed

_WINDOW = 100
_JOIN_S = 180.0


@dataclass(frozen=True)
class Address:
    """
    Where subscribers connect, and how they speak.

    Attributes:
        port: of 127.0.0.1.
        path: of the WebSocket; ``{topic}`` stands for the topic where the path carries it.
        protocol: one of load/protocols.c.
        ticket: what they show: a ticket, password or token.
    """

    port: int
    path: str
    protocol: str
    ticket: str = "-"


@dataclass(frozen=True)
class Joined:
    """How long it took until all were subscribed."""

    joined: int
    refused: int
    seconds: float


@dataclass(frozen=True)
class Counted:
    """The events of all subscribers: count, missing numbers, repeated numbers; times of CLOCK_MONOTONIC."""

    received: int
    missing: int
    repeated: int
    ended: int
    first_ns: int
    last_ns: int
    p50_us: float = 0.0
    p99_us: float = 0.0
    max_us: float = 0.0


@dataclass(frozen=True)
class CameBack:
    """Subscribers of a killed node, subscribed to the other; ``recovered`` were told that they missed nothing."""

    lost: int
    recovered: int
    seconds: float
    missing: int
    repeated: int


class LoadClient:
    """
    Subscribers of one server: all are in when this returns.

    Raises:
        MeasurementFailed: not all were let in.
    """

    def __init__(
        self,
        program: Path,
        address: Address,
        subscribers: int,
        topics: int = 1,
        *,
        window: int = _WINDOW,
        fallback_port: int | None = None,
    ) -> None:
        numbers = [subscribers, topics, window]
        command = [program, "127.0.0.1", address.port, address.path, address.protocol, *numbers, address.ticket]
        self._popen = subprocess.Popen(
            [str(part) for part in command + ([fallback_port] if fallback_port else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        try:
            self.joined = Joined(**self._read(_JOIN_S, "subscribers to be let in"))
            if self.joined.refused:
                raise MeasurementFailed(f"{self.joined.refused} of {subscribers} subscribers were refused")
        except MeasurementFailed:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._popen.kill()
        self._popen.communicate()

    def count(self, events: int, quiet_s: float = 10.0, *, latencies: bool = False) -> None:
        """Begin to count, until so many events have come, or none for ``quiet_s``."""
        self._write(f"run {events} {quiet_s} {latencies:d}")
        self._read(5.0, "the load client")

    def counted(self, timeout_s: float = 300.0) -> Counted:
        """Wait for the end of ``count``."""
        return Counted(**self._read(timeout_s, "events"))

    def came_back(self, timeout_s: float = 180.0) -> CameBack:
        """Wait until all whose connection has ended are back; for a client with ``fallback_port``."""
        return CameBack(**self._read(timeout_s, "subscribers to come back"))

    def _write(self, line: str) -> None:
        assert self._popen.stdin
        self._popen.stdin.write(f"{line}\n".encode())

    def _read(self, timeout_s: float, what: str) -> dict[str, Any]:
        assert self._popen.stdout
        assert self._popen.stderr
        if not select.select([self._popen.stdout], [], [], timeout_s)[0]:
            raise MeasurementFailed(f"waited {timeout_s:g} s for {what}")
        line = self._popen.stdout.readline()
        if not line:
            raise MeasurementFailed(
                f"the load client ended: {self._popen.stderr.read().decode(errors='replace').strip()}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer
