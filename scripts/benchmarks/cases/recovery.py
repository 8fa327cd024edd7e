"""Recovery on the nodes: what a subscriber asks for when it is back, and a node that dies with all its subscribers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import events
from benchmarks.cases.case import Delivery, Figure, Sample, Tools
from benchmarks.cases.fan_out import push_paced
from benchmarks.errors import MeasurementFailed
from benchmarks.load_client import LoadClient
from benchmarks.peers import Peer
from benchmarks.peers.stork import TICKET, Stork
from stork_node.wamp_client import Credentials, Session

_RECOVER = "io.virge.stork.recover"
_OTHERS = 100
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
        with Session(url, Credentials(authid="user-0", ticket=TICKET)) as session:
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

    def _wait_for_history(self, session: Session, topic: str, position: str) -> None:
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
    Two nodes; one is killed. Its subscribers come back to the other with jitter, as stork.js does, and recover; pushes
    go on, and a few subscribers that were on the other node all along see how much older they get.
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
        assert isinstance(peer, Stork)
        other = peer.start_node("other")
        pushes = int(self.seconds * _PUSHES_PER_S)
        before = int(_BEFORE_S * _PUSHES_PER_S)
        with (
            LoadClient(tools.load, peer.address, self.subscribers, fallback_port=other.port) as moving,
            LoadClient(tools.load, other, _OTHERS) as staying,
        ):
            pusher = peer.pusher()
            time.sleep(0.5)
            moving.count(before * self.subscribers)
            push_paced(pusher, before, _PUSHES_PER_S)
            delivery = Delivery(moving.counted(), before * self.subscribers)
            if delivery.remark:
                raise MeasurementFailed(f"before the node is killed: {delivery.remark}")
            staying.count(pushes * _OTHERS, latencies=True)
            peer.nodes[0].child.kill()
            push_paced(pusher, pushes, _PUSHES_PER_S, first=before + 1)
            counted = staying.counted()
            came_back = moving.came_back()
            pusher.close()
        wrong = []
        if came_back.recovered != came_back.lost:
            wrong.append(f"{came_back.recovered:,} of {came_back.lost:,} were told that they missed nothing")
        if came_back.missing or came_back.repeated:
            wrong.append(f"{came_back.missing:,} events missing, {came_back.repeated:,} came twice")
        return Sample({"back": came_back.seconds, "p99": counted.p99_us / 1000}, ", ".join(wrong))


def _recover(session: Session, topic: str, position: str | None) -> dict:
    [*_, results] = session.call(_RECOVER, [{topic: position}], {}, timeout_s=10.0)[:4]
    answer: dict = results[0][topic]
    return answer
