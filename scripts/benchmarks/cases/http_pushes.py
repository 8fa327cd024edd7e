"""A backend's pushes over HTTP: one document a request, on connections that are kept."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import events
from benchmarks.cases.case import Figure, Sample, Tools
from benchmarks.errors import BenchError, MeasurementFailed
from benchmarks.peers import Peer
from benchmarks.peers.peer import CONFIGURATIONS
from benchmarks.tools import run

_CONNECTIONS = 32
_RATE = re.compile(r"Requests/sec: +([0-9.]+)")
_REFUSED = re.compile(r"Non-2xx or 3xx responses: ([0-9]+)|Socket errors: (.*)")


@dataclass(frozen=True)
class HttpPushes:
    """wrk pushes one event to one topic, by as many connections as a web application's workers have."""

    name: str
    title: str
    seconds: int
    peers: Sequence[str] = ("stork", "centrifugo")
    subscribers: int = 0

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("rate", self.title, "pushes/s", more_is_better=True)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        url, key, body = peer.http_push(*events.burst(1)[0])
        script = str(CONFIGURATIONS / "post.lua")
        command = ["wrk", "-t2", f"-c{_CONNECTIONS}", f"-d{self.seconds}s", "-s", script, url]
        try:
            said = run(command, "wrk failed", {"PATH": os.environ["PATH"], "BODY": body.decode(), "KEY": key})
        except BenchError as error:
            raise MeasurementFailed(str(error)) from None
        rate = _RATE.search(said)
        if rate is None or not float(rate[1]):
            raise MeasurementFailed("no push was answered")
        refused = _REFUSED.search(said)
        return Sample({"rate": float(rate[1])}, refused[0] if refused else "")
