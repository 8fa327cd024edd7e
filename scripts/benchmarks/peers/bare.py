"""The bare socket loop (``bare/``, in C): what one thread can do here, and what the load client can take."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.events import Event
from benchmarks.load_client import Address
from benchmarks.peers.peer import Peer
from benchmarks.processes import free_ports
from benchmarks.pushing import StreamPusher
from benchmarks.tools import COMPILER, compile_c


class Bare(Peer):
    """One send() for each event and subscriber."""

    name = "bare"
    label = "bare C loop"
    packages = COMPILER
    mode: ClassVar[str] = "each"
    _program: ClassVar[Path]

    @classmethod
    def install(cls) -> None:
        Bare._program = compile_c("bare")

    @classmethod
    def version(cls) -> str:
        return ""

    def start(self) -> None:
        port, self.push_port = free_ports(2)
        self.run("bare", self._program, str(port), str(self.push_port), self.mode).wait_for_port(self.push_port)
        self.address = Address(port, "/", "raw")

    def pusher(self) -> StreamPusher:
        return StreamPusher(self.push_port, _encode)


class BareJoined(Bare):
    """One send() to each subscriber for all events that wait: what the load client can take."""

    name = "bare-joined"
    label = "bare C loop, joined"
    mode = "joined"


def _encode(events: Sequence[Event]) -> bytes:
    return b"".join(struct.pack(">I", len(event)) + event for _, event in events)
