"""Time: what the clocks of ``stork_node.clock`` say, and that nothing else of the product reads a wall clock."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stork_node.clock import AwakeTime, SteadyWall

ROOT = Path(__file__).parents[2]

_WALL_CLOCKS = {
    ".py": r"\btime\.time\b|\btime_ns\(|\.now\(UTC|datetime\.now\(|\butcnow\(|\.today\(|\bfrom time import"
    r"|\b(local|gm|c)time\(|strftime\((?!\")|CLOCK_REALTIME|\brtime\(",
    ".js": r"Date\.now|new Date\(\)",
    ".mjs": r"Date\.now|new Date\(\)",
    ".html": r"Date\.now|new Date\(\)",
    ".php": r"(?<![\w>:$])(time|microtime|date|gmdate|mktime|strtotime)\(|new \\?DateTime(Immutable)?\(",
}

_EXCEPTIONS = {
    ("node/stork_node/clock.py", "return time.time()"): "the place itself",
    ("node/stork_node/clock.py", "return datetime.now(UTC)"): "the place itself",
    ("node/stork_node/clock.py", "return datetime.now()"): "the place itself",
    ("node/stork_node/application/values.py", "(want datetime.now(UTC) + …)"): "the text of an error",
    ("node/php/src/Webhook.php", "$now ?? time()"): "how old a signature is, by the clocks of two hosts",
    ("node/js/stork.js", "now: () => (global.performance?.now ?"): "the fallback where there is no other clock",
    ("node/js/stork.js", "wall: () => Date.now(),"): "a hint that the machine slept: it asks, and ends nothing",
}


def _product() -> list[Path]:
    folders = [ROOT / name for name in ("node", "components", ".crossbar")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in _WALL_CLOCKS]
    files = [path for path in files if path.name != "stork.mjs"]  # made of stork.js
    return [path for path in files if not {"node_modules", "vendor", "__pycache__"} & set(path.parts)]


def test_only_one_place_reads_a_wall_clock() -> None:
    found, used = [], set()
    for path in _product():
        pattern = re.compile(_WALL_CLOCKS[path.suffix])
        where = str(path.relative_to(ROOT))
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not pattern.search(line) or line.lstrip().startswith(("#", "//", "*", '"""')) or "``time.time" in line:
                continue
            reasons = [key for key in _EXCEPTIONS if key[0] == where and key[1] in line]
            used.update(reasons)
            if not reasons:
                found.append(f"{where}:{number}: {line.strip()}")
    assert found == [], "use time.monotonic, reactor.seconds or stork_node.clock"
    assert used == set(_EXCEPTIONS)


class Ticking:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_steady_wall_begins_at_a_date_and_counts_on() -> None:
    monotonic = Ticking()
    clock = SteadyWall(monotonic, 1_700_000_000.0)
    monotonic.now += 5
    assert clock() == 1_700_000_005.0


@pytest.mark.parametrize("standstill_s", [3.5, 60.0, 86_400.0])
def test_a_standstill_counts_as_one_turn(standstill_s: float) -> None:
    ticking = Ticking()
    clock = AwakeTime(ticking, 3.0)
    begin = clock()
    for _ in range(4):
        ticking.now += 2.5
        clock()
    assert clock() - begin == 10.0
    ticking.now += standstill_s
    assert clock() - begin == 13.0
    ticking.now += 1.0
    assert clock() - begin == 14.0


_REACTOR = """
import time
from twisted.internet import reactor, task
from stork_crossbar.internals.reactor_time import install_steady_time
assert install_steady_time(reactor)
assert abs(reactor.seconds() - time.time()) < 5
told = []
task.LoopingCall(told.append, 1).start(0.02, now=False)
def step(by):
    real = time.time
    time.time = lambda: real() + by
def wait_for(number, then):
    reactor.callLater(0.01, (lambda: then() if len(told) >= number else wait_for(number, then)))
steps = [-86400, -600, -1, 1, 600, 86400]
def turn():
    if not steps:
        return reactor.stop()
    step(steps.pop(0))
    wait_for(len(told) + 3, turn)
wait_for(1, turn)
late = reactor.callLater(1000, reactor.stop)
reactor.run()
assert late.active(), "a step made a timer due"
"""


def test_timers_of_the_reactor_go_on_whatever_the_wall_clock_does() -> None:
    # In a process of its own, as a reactor runs once.
    subprocess.run([sys.executable, "-c", _REACTOR], check=True, timeout=60)


_STOPPED = """
import os, signal, subprocess, sys, time
from twisted.internet import reactor
import stork_crossbar.internals.reactor_time as reactor_time
from stork_node.clock import AwakeTime
reactor_time.AwakeTime = lambda clock: AwakeTime(clock, 0.3)
reactor_time._PULSE_S = 0.05
assert reactor_time.install_steady_time(reactor)
read, write = os.pipe()
order = []
reactor.callLater(2, lambda: (order.append("time-out"), reactor.stop()))
def answered():
    order.append("answer")
    reactor.stop()
class Reader:
    def fileno(self): return read
    def doRead(self): reactor.removeReader(self); answered()
    def logPrefix(self): return ""
    def connectionLost(self, reason): pass
reactor.addReader(Reader())
def stop():
    # Answers, and only then lets it go on.
    again = f"kill -STOP {os.getpid()}; sleep 2.5; echo >&{write}; kill -CONT {os.getpid()}"
    subprocess.Popen(["sh", "-c", again], pass_fds=[write])
reactor.callLater(0.1, stop)
reactor.run()
assert order == ["answer"], order
"""


def test_a_time_out_does_not_pass_while_the_process_is_stopped() -> None:
    subprocess.run([sys.executable, "-c", _STOPPED], check=True, timeout=60)


def test_a_reactor_that_is_not_as_known_keeps_its_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    from stork_crossbar.internals.reactor_time import install_steady_time

    class Other:
        seconds = staticmethod(lambda: 1.0)

    reactor = Other()
    assert not install_steady_time(reactor)
    assert reactor.seconds() == 1.0
    assert "timers follow the wall clock" in capsys.readouterr().err
