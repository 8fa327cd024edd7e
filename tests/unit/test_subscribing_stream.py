"""The order of one topic in a subscriber: positions, holding back, recovery."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stork_node.clients.subscribing.stream import Event, TopicCursor
from stork_node.errors import InvalidPosition
from tests.vector_files import vectors

TOPIC = "v1.orders.42"


def event(sequence, epoch="e"):
    return Event(TOPIC, "paid", sequence, "2026-01-31T12:00:00Z", f"{epoch}:{sequence}")


def recovered(*sequences, position=None, more=False, epoch="e"):
    events = [
        {"position": f"{epoch}:{n}", "type": "paid", "data": n, "timestamp": "2026-01-31T12:00:00Z"} for n in sequences
    ]
    position = sequences[-1] if position is None else position
    return {"recovered": True, "position": f"{epoch}:{position}", "events": events} | ({"more": True} if more else {})


def not_recovered(position, epoch="e"):
    return {"recovered": False, "position": f"{epoch}:{position}", "events": []}


def test_an_event_is_read_from_its_first_argument_and_its_position():
    payload = {"type": "paid", "data": [1], "timestamp": "2026-01-31T12:00:00Z"}
    assert Event.of(TOPIC, payload, "e:5") == Event(TOPIC, "paid", [1], "2026-01-31T12:00:00Z", "e:5")


@pytest.mark.parametrize("payload", ["text", None, 5, {"type": 1, "data": 2, "timestamp": ""}, {"data": 1}])
def test_an_event_of_another_publisher_is_its_argument(payload):
    assert Event.of(TOPIC, payload, 12) == Event(TOPIC, "", payload, "", None)


def test_since_must_be_a_position():
    with pytest.raises(InvalidPosition, match="'yesterday' is not a position"):
        TopicCursor(TOPIC, "yesterday")


def of_answer(item):
    """An event of an answer, which the vectors write by its position."""
    if not isinstance(item, str):
        return item
    return {"position": item, "type": "paid", "data": item, "timestamp": "2026-01-31T12:00:00Z"}


def whole(answer):
    if isinstance(answer, dict) and isinstance(answer.get("events"), list):
        return answer | {"events": [of_answer(item) for item in answer["events"]]}
    return answer


@vectors("recover_answers", "streams")
def test_a_stream_goes_step_by_step(case):
    stream = TopicCursor(TOPIC, case["since"])
    for step in case["steps"]:
        match step:
            case {"hold": True, "asks": asks}:
                assert stream.hold() == asks
            case {"event": position, "hands": hands}:
                # What is no position is handed on as it came, which ``Event.of`` does not decide.
                taken = stream.take(Event(TOPIC, "paid", 1, "2026-01-31T12:00:00Z", position))
                assert [each.position for each in taken] == hands
            case {"beat": position}:
                stream.beat(position)
                assert stream.position == step["position"]
            case _:
                answered = stream.answer(whole(step["answer"]))
                assert [each.position for each in answered.events] == step["hands"]
                told = (answered.recovered, answered.position, answered.more)
                assert told == (step["recovered"], step["position"], step["more"])


class Following(RuleBasedStateMachine):
    """A node that pushes, cuts, forgets and answers by docs/delivery.md#recovery; no push may vanish without a word."""

    def __init__(self):
        super().__init__()
        self.tail = 3  # of all topics
        self.pushed = []  # of this topic
        self.floor = 0
        self.stream = None
        self.wire = deque()  # sent by the node, in order, not yet read
        self.connected = self.asked = False
        self.owed = None  # pushes later than this are owed, or told of
        self.handed = []
        self.excused = 0

    @rule(since=st.booleans())
    @precondition(lambda self: self.stream is None)
    def start(self, since):
        self.stream = TopicCursor(TOPIC, f"e:{self.tail}" if since else None)
        if since:
            self.owed = self.tail

    @rule(ours=st.booleans())
    def push(self, ours):
        self.tail += 1
        if ours:
            self.pushed.append(self.tail)
            if self.connected:
                self.wire.append(("event", self.tail))

    @rule(back=st.integers(0, 6))
    def forget(self, back):
        self.floor = max(self.floor, self.tail - back)

    @rule()
    @precondition(lambda self: self.stream and not self.connected)
    def subscribe(self):
        self.connected = self.asked = True
        self.question = self.stream.hold()
        if self.owed is None:
            self.owed = self.tail

    @rule(page=st.integers(1, 3))
    @precondition(lambda self: self.connected and self.asked)
    def answer(self, page):
        self.asked = False
        at = None if self.question is None else int(self.question.partition(":")[2])
        if at is None or at < self.floor:
            self.wire.append(("answer", not_recovered(self.tail)))
            return
        events = [n for n in self.pushed if n > at]
        more = len(events) > page
        position = events[page - 1] if more else self.tail
        self.wire.append(("answer", recovered(*events[:page], position=position, more=more)))

    @rule()
    @precondition(lambda self: self.connected)
    def beat(self):
        self.wire.append(("beat", f"e:{self.tail}"))

    @rule(frames=st.integers(1, 4))
    @precondition(lambda self: self.wire)
    def read(self, frames):
        for _ in range(min(frames, len(self.wire))):
            kind, value = self.wire.popleft()
            if kind == "beat":
                self.stream.beat(value)
            elif kind == "event":
                self.hand(self.stream.take(event(value)))
            else:
                answered = self.stream.answer(value)
                if answered.recovered is False:
                    self.excused = int(answered.position.partition(":")[2])
                self.hand(answered.events)
                if answered.more:
                    self.asked, self.question = True, self.stream.position

    @rule()
    @precondition(lambda self: self.connected)
    def cut(self):
        self.connected = self.asked = False
        self.wire.clear()

    def hand(self, events):
        self.handed += [int(each.position.partition(":")[2]) for each in events]

    @invariant()
    def handed_on_once_and_in_order(self):
        assert self.handed == sorted(set(self.handed))

    @invariant()
    def nothing_up_to_the_position_is_missing_without_a_word(self):
        if self.stream is None or self.stream.position is None or self.owed is None:
            return
        at = int(self.stream.position.partition(":")[2])
        owed = {n for n in self.pushed if max(self.owed, self.excused) < n <= at}
        assert owed - set(self.handed) == set()


Following.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestFollowing = Following.TestCase
