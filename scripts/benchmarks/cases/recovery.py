"""Recovery on the nodes: what a subscriber asks for when it is back, and a node that dies with all its subscribers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import events
from benchmarks.cases.case import Figure, Sample, Tools, losses
from benchmarks.errors import MeasurementFailed
from benchmarks.load_client import LoadClient
from benchmarks.peers import Peer
from benchmarks.peers.stork import TICKET, Stork
from benchmarks.pushing import Pusher
from stork_node.clients.credentials import Credentials
from stork_node.clients.wamp_client import WampConnection

_RECOVER = "io.virge.stork.recover"
_OTHERS = 100
_TO_A_TOPIC = 10
_PUSHES_PER_S = 10
_BEFORE_S = 2.0
_ARRIVE_S = 10.0


@dataclass(frozen=True)
class Recover:
    """``io.virge.stork.recover`` for one topic that has missed so many events, again and again."""

    name: str
    title: str
    pushes: int
    calls: int
    peers: Sequence[str] = ("stork",)
    subscribers: int = 1

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure("time", f"{self.title}: median of a call", "ms", more_is_better=False, goal=5)]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        topic = events.topic(0)
        url = f"ws://127.0.0.1:{peer.address.port}{peer.address.path}"
        with WampConnection(url, Credentials(authid="user-0", ticket=TICKET)) as session:
            session.subscribe(topic)
            position = _recover(session, topic, None)["position"]
            pusher = peer.pusher()
            pusher.send(pusher.prepare(events.burst(self.pushes)))
            self._wait_for_history(session, topic, position)
            pusher.close()
            times = []
            for _ in range(self.calls):
                since = time.monotonic()
                _recover(session, topic, position)
                times.append(time.monotonic() - since)
        return Sample({"time": median(times) * 1000})

    def _wait_for_history(self, session: WampConnection, topic: str, position: str) -> None:
        give_up_at = time.monotonic() + _ARRIVE_S
        while True:
            answer = _recover(session, topic, position)
            if answer["recovered"] and len(answer["events"]) == self.pushes:
                return
            if time.monotonic() > give_up_at:
                got = f"{len(answer['events'])} of {self.pushes} events"
                raise MeasurementFailed(f"after {_ARRIVE_S:g} s recovered is {answer['recovered']}, with {got}")
            time.sleep(0.05)


@dataclass(frozen=True)
class KilledNode:
    """
    Two nodes; one is killed. Its subscribers, ten to a topic, come back to the other with jitter, as stork.js does, and
    recover. Pushes go on meanwhile, and a few subscribers that were on the other node all along see how old they get.
    """

    name: str
    title: str
    subscribers: int
    seconds: float
    peers: Sequence[str] = ("stork",)

    @property
    def figures(self) -> Sequence[Figure]:
        return [
            Figure("back", f"{self.title}: until all are back, recovered", "s", more_is_better=False),
            Figure("p99", f"{self.title}: p99 of the others meanwhile", "ms", more_is_better=False),
        ]

    def measure(self, peer: Peer, tools: Tools) -> Sample:
        if not isinstance(peer, Stork):
            raise TypeError(f"{peer.name} has no nodes")
        other = peer.start_node("other")
        topics = self.subscribers // _TO_A_TOPIC
        before, meanwhile = int(_BEFORE_S * _PUSHES_PER_S), int(self.seconds * _PUSHES_PER_S)
        with (
            LoadClient(tools.load, peer.address, self.subscribers, topics, fallback_port=other.port) as moving,
            LoadClient(tools.load, other, _OTHERS) as staying,
        ):
            pusher = peer.pusher()
            time.sleep(0.5)
            moving.count(2 * before * _TO_A_TOPIC)
            staying.count(before * _OTHERS)
            _push_paced(pusher, range(before), topics)
            if lost := losses(moving.counted(), 2 * before * _TO_A_TOPIC):
                raise MeasurementFailed(f"before the node is killed: {lost}")
            staying.counted()
            staying.count(meanwhile * _OTHERS, latencies=True)
            peer.nodes[0].child.kill()
            _push_paced(pusher, range(before, before + meanwhile), topics)
            others = staying.counted()
            came_back = moving.came_back()
            pusher.close()
        wrong = [losses(others, meanwhile * _OTHERS)]
        if came_back.recovered != came_back.lost:
            wrong.append(f"{came_back.recovered:,} of {came_back.lost:,} were told that they missed nothing")
        if came_back.missing or came_back.repeated:
            wrong.append(f"{came_back.missing:,} events missing, {came_back.repeated:,} came twice")
        values = {"back": came_back.seconds, "p99": others.p99_us / 1000}
        return Sample(values, ", ".join(filter(None, wrong)))


def _push_paced(pusher: Pusher, ticks: range, topics: int) -> None:
    """At each tick one push to the first topic, and one to one of the others by turns."""
    start = time.monotonic()
    for tick in ticks:
        time.sleep(max(0.0, start + (tick - ticks.start) / _PUSHES_PER_S - time.monotonic()))
        turn, other = divmod(tick, topics - 1)
        now_ns = time.monotonic_ns()
        pair = [
            (events.topic(0), events.event(tick + 1, now_ns)),
            (events.topic(other + 1), events.event(turn + 1, now_ns)),
        ]
        pusher.send(pusher.prepare(pair))


def _recover(session: WampConnection, topic: str, position: str | None) -> dict:
    result = session.call(_RECOVER, [{topic: position}], {}, timeout_s=10.0)
    answer: dict = result.args[0][topic]
    return answer
