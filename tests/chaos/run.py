"""One run: a cluster, pushers and subscribers, faults from a seed, and the verdict."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from stork_node import Publisher
from stork_node.protocol.positions import Position
from tests.chaos.checker import check
from tests.chaos.cluster import Cluster
from tests.chaos.histories import Replaced, Verdict
from tests.chaos.obeying import check_commands
from tests.chaos.records import Line, histories, pushed, read_lines
from tests.chaos.schedule import LANES, Fault
from tests.chaos.seeing import check_tables, look, there
from tests.gateway import ROOT, wait_for

TOPICS = tuple(f"v1.chaos.{n}" for n in range(10))
KINDS = ("subscriber", "js", "plain")
EACH = 5  # subscribers of each kind that stay; others come and go
SETTLE_S = 150.0  # for a connection that died in silence: 60 s, and 20 s until the next try


@dataclass(frozen=True)
class Happened:
    """A fault, and when it was (seconds since the epoch)."""

    fault: Fault
    began: float
    ended: float


@dataclass
class Run:
    """The result of a run."""

    seed: int
    began: float
    ended: float = 0.0
    happened: list[Happened] = field(default_factory=list)
    replaced: Sequence[Replaced] = ()
    lanes: tuple[str, ...] = LANES
    pushes: list[Line] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    settled: bool = False


class System(Protocol):
    """What faults are done to, from its start to its end."""

    url: str
    replaced: Sequence[Replaced]
    ends: Mapping[str, int] | None

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def router(self) -> str: ...

    @property
    def operators(self) -> Mapping[str, str | int]: ...

    @property
    def wants_copy(self) -> bool: ...

    def copy_log(self) -> None: ...

    def begin(self, fault: Fault) -> None: ...

    def end(self, fault: Fault) -> None: ...

    def wait_until_ready(self) -> None: ...


class Followers:
    """The subscribers: three processes, of which each holds all of its kind."""

    def __init__(self, folder: Path, url: str, seed: int) -> None:
        self._chance = random.Random(f"{seed} followers")
        self._outputs = {kind: folder / f"{kind}.jsonl" for kind in KINDS}
        self._processes = {kind: _start(_command(kind, url), self._outputs[kind]) for kind in KINDS}
        self._guests: deque[tuple[str, str]] = deque()
        self._number = 0
        self.present: dict[str, tuple[str, ...]] = {}
        for kind in KINDS:
            for _ in range(EACH):
                self._follow(kind, {})

    def come_and_go(self, known: Callable[[], str | None]) -> None:
        """One more subscriber of some kind, from a position or from now on; of four of these, the oldest leaves."""
        kind = self._chance.choice(KINDS)
        since = known() if self._chance.random() < 0.5 else None
        self._guests.append((kind, self._follow(kind, dict.fromkeys(TOPICS, since))))
        if len(self._guests) > 4:
            kind, who = self._guests.popleft()
            self._say(kind, {"op": "leave", "who": who})
            del self.present[who]

    def lines(self, having: str = "") -> Iterator[Line]:
        for output in self._outputs.values():
            yield from read_lines(output, having)

    def check_alive(self) -> None:
        for kind, process in self._processes.items():
            if process.poll() is not None:
                raise AssertionError(f"the subscribers of kind {kind} ended with {process.returncode}")

    def stop(self) -> None:
        for process in self._processes.values():
            _wait(process)

    def _follow(self, kind: str, since: dict[str, str | None]) -> str:
        self._number += 1
        who = f"{kind} {self._number}"
        topics = tuple(self._chance.sample(TOPICS, self._chance.randint(2, 4)))
        self._say(kind, {"op": "follow", "who": who, "topics": {topic: since.get(topic) for topic in topics}})
        self.present[who] = topics
        return who

    def _say(self, kind: str, command: dict[str, Any]) -> None:
        _say(self._processes[kind], json.dumps(command))


def run(
    folder: Path,
    faults: Sequence[Fault],
    seed: int,
    *,
    rate: float = 30.0,
    system: Callable[[Path], System] = Cluster,
    lanes: tuple[str, ...] = LANES,
    through: Callable[[str], str] = lambda url: url,
    progress: Callable[[Fault | None, str], None] = lambda fault, doing: None,
) -> Run:
    """
    Do these faults, and judge what subscribers saw.

    Args:
        folder: for all that the run writes.
        rate: pushes a second, of all pushers together.
        system: what is to suffer them.
        lanes: everything that can suffer one.
        through: where subscribers are to connect instead of HAProxy's address, which it is given.
        progress: told of each fault as it begins, and of what else goes on.
    """
    progress(None, "starting")
    with system(folder) as cluster:
        outcome = Run(seed, time.time(), lanes=lanes)
        answers = folder / "pushes.jsonl"
        pushing = [sys.executable, "-m", "tests.chaos.pushing", cluster.router, ",".join(TOPICS), str(seed), str(rate)]
        followers = Followers(folder, through(cluster.url), seed)
        pushers = _start(pushing, answers)
        commanding = [sys.executable, "-m", "tests.chaos.commanding", cluster.url, cluster.router, str(seed)]
        obeyed = folder / "commands.jsonl"
        commander = _start(commanding, obeyed)
        appeared = folder / "appearing.jsonl"
        visitors = _start([sys.executable, "-m", "tests.chaos.appearing", cluster.url, str(seed)], appeared)
        try:
            _wait_for_first_events(followers)
            for fault in faults:
                progress(fault, str(fault))
                outcome.happened.append(_suffer(cluster, fault))
                followers.come_and_go(lambda: _recent_position(answers))
                _check_alive(followers, pushers, commander, visitors)
            progress(None, "settling")
            cluster.wait_until_ready()
            for process in (pushers, commander, visitors):
                _say(process, "stop")
            _wait(pushers)
            markers = list(_push_markers(cluster))
            outcome.pushes = [*read_lines(answers), *markers]
            outcome.settled = _settle(followers, markers)
            progress(None, "looking who is online")
            seen = Verdict()
            check_tables(lambda: there(read_lines(appeared)), lambda: look(cluster.operators), seen)
            outcome.ended = time.time()
        finally:
            pushers.kill()
            _wait(pushers)
            _wait(commander)
            _wait(visitors)
            followers.stop()
        outcome.lines = list(followers.lines())
        outcome.replaced, ends = cluster.replaced, cluster.ends
    progress(None, "checking")
    outcome.verdict = check(pushed(outcome.pushes), histories(outcome.lines), outcome.replaced, ends)
    check_commands(read_lines(obeyed), outcome.verdict, outcome.ended)
    outcome.verdict.counts["wrong_table"] = seen.counts["wrong_table"]
    outcome.verdict.findings += seen.findings
    return outcome


def _suffer(cluster: System, fault: Fault) -> Happened:
    began = time.time()
    cluster.begin(fault)
    try:
        time.sleep(fault.seconds)  # the fault's length, not a wait for something
    finally:
        cluster.end(fault)
    ended = time.time()
    time.sleep(fault.pause_s)
    if cluster.wants_copy and fault.kind != "full":
        cluster.copy_log()
    return Happened(fault, began, ended)


def _wait_for_first_events(followers: Followers) -> None:
    def all_have_begun() -> bool:
        followers.check_alive()
        begun = {(line["who"], line["topic"]) for line in followers.lines() if line["kind"] in ("start", "got")}
        return begun >= {(who, topic) for who, topics in followers.present.items() for topic in topics}

    wait_for(all_have_begun, "a first position of every subscriber", 60)


def _recent_position(answers: Path) -> str | None:
    """The position of a push of the last half minute."""
    with answers.open("rb") as lines:
        lines.seek(max(0, answers.stat().st_size - 100_000))
        tail = lines.read().decode(errors="replace").split("\n")[1:-1]
    known = [line["position"] for line in map(json.loads, tail) if line["position"] and time.time() - line["at"] < 30]
    return known[0] if known else None


def _push_markers(cluster: System) -> Iterator[Line]:
    with Publisher(cluster.router, timeout_ms=20_000) as publisher:
        for topic in TOPICS:
            tried_at, id_ = time.time(), f"last {topic}"
            position = publisher.push(topic, type="chaos", data={"id": id_}, id=id_)
            line = {"pusher": "last", "id": id_, "topics": [topic], "stored": True, "position": position, "tries": 1}
            yield line | {"tried_at": tried_at, "at": time.time()}


def _settle(followers: Followers, markers: Sequence[Line]) -> bool:
    """Whether the last push to each topic reached everybody who is there, or each was told of a gap, in time."""
    last = {line["topics"][0]: Position.parse(line["position"]) for line in markers}

    def is_told(line: Line) -> bool:
        if line["ok"] or line["position"] is None:
            return False
        at = Position.parse(line["position"])
        return at.epoch == last[line["topic"]].epoch and at >= last[line["topic"]]

    def all_have_the_last() -> bool:
        followers.check_alive()
        have = {(line["who"], line["topic"]) for line in followers.lines(having='"last ')}
        have |= {(line["who"], line["topic"]) for line in followers.lines(having='"recovered"') if is_told(line)}
        return have >= {(who, topic) for who, topics in followers.present.items() for topic in topics}

    give_up_at = time.monotonic() + SETTLE_S
    while not (done := all_have_the_last()) and time.monotonic() < give_up_at:
        time.sleep(0.5)
    return done


def _check_alive(followers: Followers, *processes: "subprocess.Popen[str]") -> None:
    followers.check_alive()
    for process in processes:
        if process.poll() is not None:
            raise AssertionError(f"{process.args} ended with {process.returncode}")


def _command(kind: str, url: str) -> list[str]:
    if kind == "js":
        node = shutil.which("node")
        assert node, "node is missing: scripts/test installs it"
        return [node, str(ROOT / "tests/chaos/following.mjs"), url]
    return [sys.executable, "-m", "tests.chaos.following", kind, url]


def _start(command: list[str], output: Path) -> "subprocess.Popen[str]":
    with output.open("w") as out, output.with_suffix(".log").open("w") as err:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err, text=True, cwd=ROOT)


def _say(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _wait(process: "subprocess.Popen[str]") -> None:
    """The end of its standard input is the end of a process of ours."""
    assert process.stdin
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
