"""
A model of a deployment around the real relay core: a log that numbers, a bus that loses, replay, nodes and clients.

The clients follow docs/delivery.md#the-clients-algorithm, and remember what they handed on since they were told of a
gap: ``check`` compares that with the log.
"""

from collections import deque
from dataclasses import dataclass, field

from stork_node.protocol.bus import (
    EraseFrame,
    Frame,
    Heartbeat,
    OtherFrame,
    PushFrame,
    encode_erase_frame,
    encode_push_frame,
)
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.protocol.replay import Page, PageHeader, ReplayRequest
from stork_node.relay.history_settings import HistoryRule, HistorySettings
from stork_node.relay.recovery import Recovery, read_request
from stork_node.relay.steps import Ask
from stork_node.relay.stream import Break, Events, NodeStream

TOPICS = ("v1.a.1", "v1.a.2", "v1.b.1")
PAGE_NUMBERS = 3
TIMESTAMP = "2026-01-31T12:00:00.000Z"


@dataclass
class Entry:
    """The log's entry of one number. ``wanted``: topics whose subscribers must get it or be told."""

    topics: tuple[str, ...]
    frame: bytes | None
    wanted: set[str] = field(default_factory=set)


class Log:
    """The publish server with its log, as far as relays see it."""

    def __init__(self) -> None:
        self._names = iter(range(1, 1_000_000))
        self.truth: dict[str, dict[int, Entry]] = {}
        self.new_epoch()

    def _name(self, what: str) -> str:
        return f"{what}{next(self._names)}"

    def new_epoch(self) -> None:
        self.epoch, self.floor, self.tail = self._name("epoch"), 0, 0
        self.entries: dict[int, Entry] = {}
        self.truth[self.epoch] = {}
        self.restart()

    def restart(self) -> None:
        self.run = self._name("run")
        self.began_at = self.tail

    def restore(self, tail: int) -> None:
        """An older copy of the log, under the same epoch: it ended at ``tail``."""
        self.entries = {number: entry for number, entry in self.entries.items() if number <= tail}
        self.tail, self.floor = tail, min(self.floor, tail)
        self.restart()

    def retain(self, floor: int) -> None:
        self.floor = max(self.floor, min(floor, self.tail))
        self.entries = {number: entry for number, entry in self.entries.items() if number > self.floor}

    def proof(self, number: int) -> str:
        """That this run gave a number of this epoch, for relays to show."""
        return f"{self.epoch} {self.run} {number}"

    def _add(self, entry: Entry) -> Position:
        self.tail += 1
        self.entries[self.tail] = self.truth[self.epoch][self.tail] = entry
        return Position(self.epoch, self.tail)

    def push(self, topics: tuple[str, ...], data: str, store: bool) -> PushFrame:
        position = Position(self.epoch, self.tail + 1)
        push = Push(topics, "t", b'"%b"' % data.encode(), TIMESTAMP, store=store)
        proof = self.proof(position.sequence)
        frame = encode_push_frame(position, self.run, push, proof)
        self._add(Entry(topics, frame if store else None, set(topics) if store else set()))
        event = b'{"type":"t","data":"%b","timestamp":"%b"}' % (data.encode(), TIMESTAMP.encode())
        return PushFrame(position, self.run, topics, (), store, event, proof)

    def erase(self, topic: str) -> EraseFrame:
        for number, entry in self.entries.items():
            if topic in entry.topics and entry.frame:
                left = tuple(each for each in entry.topics if each != topic)
                push = Push(left, "t", b'"%d"' % number, TIMESTAMP)
                frame = encode_push_frame(Position(self.epoch, number), self.run, push) if left else None
                entry.topics, entry.frame = left, frame
        for entry in self.truth[self.epoch].values():
            entry.wanted.discard(topic)
        position = Position(self.epoch, self.tail + 1)
        proof = self.proof(position.sequence)
        self._add(Entry((), encode_erase_frame(position, self.run, topic, proof)))
        return EraseFrame(position, self.run, topic, proof)

    def other(self) -> OtherFrame:
        """An entry of a kind that a newer release has."""
        position = Position(self.epoch, self.tail + 1)
        proof = self.proof(position.sequence)
        frame = encode_erase_frame(position, self.run, "x", proof).replace(b" erase ", b" unheard_of ") + b"\n{}"
        self._add(Entry((), frame))
        return OtherFrame(position, self.run, "unheard_of", proof)

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(Position(self.epoch, self.tail), self.run, TIMESTAMP, {})

    def check_proof(self, request: ReplayRequest) -> None:
        """Whatever happens, a relay can prove what it has seen."""
        assert request.proof == (f"{request.epoch} {request.run} {request.after}" if request.epoch else "")

    def page(self, request: ReplayRequest) -> Page:
        self.check_proof(request)
        if request.epoch == self.epoch and request.run != self.run and request.after > self.began_at:
            self.new_epoch()  # the relay has seen more than this log has
        after = request.after if request.epoch == self.epoch else 0
        if request.epoch == self.epoch and after > self.tail:
            raise AssertionError(f"a relay is at {after}, and the log of its own run at {self.tail}")
        after = max(after, self.floor)
        last = min(after + PAGE_NUMBERS, self.tail)
        frames = [self.entries[number].frame for number in range(after + 1, last + 1)]
        header = PageHeader(self.epoch, self.run, self.floor, self.tail, after, last, self.proof(last))
        return Page(header, [frame for frame in frames if frame])


class Node:
    """The relay core with its sockets: a bus that is a queue, and one request under way."""

    def __init__(self, log: Log, history: HistorySettings) -> None:
        self.log, self.history = log, history
        self.clients: list[Client] = []
        self.bus: deque[Frame] = deque()
        self.start()

    def start(self) -> None:
        self.stream = NodeStream(self.history)
        self.recovery = Recovery(self.stream, lambda client, topic, match: topic in TOPICS)
        self.request: ReplayRequest | None = None
        self.page: Page | None = None
        self.beyond = Position("", 0)  # what is no event: delivered already, or from before the beginning
        self.cut_clients()

    def cut_clients(self) -> None:
        for client in list(self.clients):
            client.disconnect()

    def receive(self, number: int, now: float) -> None:
        frames = [self.bus.popleft() for _ in range(min(number, len(self.bus)))]
        self._act(self.stream.take(frames, now))

    def serve_replay(self) -> None:
        """The request reaches the server, which answers: not yet here."""
        if self.request:
            self.page, self.request = self.log.page(self.request), None

    def get_page(self, now: float) -> None:
        if self.page:
            page, self.page = self.page, None
            header, here = page.header, self.stream.position
            if here is None or header.epoch != here.epoch or header.after > here.sequence:
                self.beyond = Position(header.epoch, header.tail)
            self._act(self.stream.answer(page, now))

    def work(self, now: float) -> None:
        """Everything that has come is taken, and what is asked for is answered, a few times."""
        for _ in range(6):
            self.receive(len(self.bus), now)
            self.serve_replay()
            self.get_page(now)

    def lose_replay(self) -> None:
        self.request = self.page = None

    def tick(self, now: float) -> None:
        self._act(self.stream.tick(now))

    def sweep(self, now: float) -> None:
        self.stream.histories.sweep(now)

    def beat(self) -> None:
        position = self.stream.position
        if self.stream.is_ready and position:
            for client in self.clients:
                client.beat(position)

    def _act(self, actions: list[Events | Break | Ask]) -> None:
        for action in actions:
            if isinstance(action, Events):
                for push in action.pushes:
                    assert push.position > self.beyond, f"{push.position} is delivered, though {self.beyond} was"
                    self.beyond = push.position
                    for client in self.clients:
                        for topic in push.topics:
                            client.event(topic, push.position)
            elif isinstance(action, Break):
                self.cut_clients()
            else:
                self.request, self.page = action.request, None


class Client:
    """docs/delivery.md#the-clients-algorithm, and a memory of what was handed on."""

    def __init__(self) -> None:
        self.node: Node | None = None
        self.positions: dict[str, Position | None] = dict.fromkeys(TOPICS)
        self.held: dict[str, list[Position]] = {}
        self.told: dict[str, Position] = {}  # where each topic's handed-on pushes begin
        self.handed_on: dict[str, list[Position]] = {topic: [] for topic in TOPICS}
        self.times_told = 0
        self.times_recovered = 0

    def connect(self, node: Node) -> None:
        self.disconnect()
        self.node = node
        node.clients.append(self)
        self.held = {topic: [] for topic in TOPICS}

    def disconnect(self) -> None:
        if self.node:
            self.node.clients.remove(self)
            self.node = None

    def event(self, topic: str, position: Position) -> None:
        if topic in self.held:
            self.held[topic].append(position)
        else:
            self._take(topic, position)

    def _take(self, topic: str, position: Position) -> None:
        known = self.positions[topic]
        assert known is not None
        assert known.epoch == position.epoch, f"{topic}: {position} after {known}, and nobody was told"
        if position > known:
            self.positions[topic] = position
            self.handed_on[topic].append(position)

    def beat(self, position: Position) -> None:
        for topic, known in self.positions.items():
            if topic not in self.held:
                assert known is not None
                self.positions[topic] = max(known, position)

    def recover(self) -> None:
        """Call ``recover`` once; an answer of not_ready leaves all as it was."""
        if not self.node or not self.held:
            return
        given = {topic: self.positions[topic] and str(self.positions[topic]) for topic in self.held}
        request = read_request((given,), {})
        if self.node.recovery.lacks(1, request):
            return
        for topic, answer in self.node.recovery.answer(1, request).items():
            position = Position.parse(answer["position"])
            if not answer["recovered"]:
                assert answer["events"] == []
                self.times_told += 1
                self.told[topic], self.handed_on[topic] = position, []
                self.positions[topic] = position
            else:
                self.times_recovered += 1
                for event in answer["events"]:
                    self._take(topic, Position.parse(event["position"]))
                self.positions[topic] = position
                if answer.get("more"):
                    continue
            for each in self.held.pop(topic):
                self._take(topic, each)

    def check(self, log: Log) -> None:
        """After all is well again: what was handed on since the last telling is what the log has."""
        assert not self.held, "no answer to recover"
        for topic in TOPICS:
            told, handed_on = self.told[topic], self.handed_on[topic]
            assert told.epoch == log.epoch, f"{topic}: at {self.positions[topic]}, and the log is {log.epoch}"
            numbers = [position.sequence for position in handed_on]
            assert numbers == sorted(set(numbers)), f"{topic}: {numbers} is not each once and in order"
            truth = log.truth[log.epoch]
            wanted = [number for number, entry in truth.items() if topic in entry.wanted and number > told.sequence]
            got = [number for number in numbers if topic in truth[number].wanted]
            assert got == wanted, f"{topic}: {got} were handed on, and {wanted} were pushed since {told}"


class World:
    """Everything, with a clock; ``heal`` ends all faults and lets everybody catch up."""

    def __init__(self, history: HistorySettings | None = None) -> None:
        rule = HistoryRule(seconds=5.0, bytes=900)
        self.history = history or HistorySettings({"v1.b": HistoryRule(0, 0)}, rule, total_bytes=2_200)
        self.now = 0.0
        self.log = Log()
        self.nodes = [Node(self.log, self.history) for _ in range(2)]
        self.clients = [Client() for _ in range(3)]
        self._pushed = 0

    def publish(self, frame: Frame) -> None:
        for node in self.nodes:
            node.bus.append(frame)

    def push(self, topics: tuple[str, ...], store: bool = True) -> None:
        self._pushed += 1
        self.publish(self.log.push(topics, str(self._pushed), store))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for node in self.nodes:
            node.tick(self.now)
            node.sweep(self.now)

    def heal(self) -> None:
        for _ in range(400):
            self.pass_time(1.0)
            self.publish(self.log.heartbeat())
            for node in self.nodes:
                node.receive(len(node.bus), self.now)
                node.serve_replay()
                node.get_page(self.now)
            for client in self.clients:
                if client.node is None:
                    client.connect(self.nodes[0])
                client.recover()
            if self._is_well():
                return
        raise AssertionError("it does not come to rest")

    def _is_well(self) -> bool:
        tail = Position(self.log.epoch, self.log.tail)
        return all(node.stream.position == tail and node.request is node.page is None for node in self.nodes) and all(
            client.node and not client.held for client in self.clients
        )

    def check(self) -> None:
        self.heal()
        for client in self.clients:
            client.check(self.log)
