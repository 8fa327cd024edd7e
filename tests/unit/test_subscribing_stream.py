"""The order of one topic in a subscriber: positions, holding back, recovery."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stork_node.errors import InvalidPosition
from stork_node.subscribing.stream import Answered, Event, Stream

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


def asked(since):
    stream = Stream(TOPIC, since)
    assert stream.hold() == since
    return stream


def test_an_event_is_read_from_its_first_argument_and_its_position():
    payload = {"type": "paid", "data": [1], "timestamp": "2026-01-31T12:00:00Z"}
    assert Event.of(TOPIC, payload, "e:5") == Event(TOPIC, "paid", [1], "2026-01-31T12:00:00Z", "e:5")


@pytest.mark.parametrize("payload", ["text", None, 5, {"type": 1, "data": 2, "timestamp": ""}, {"data": 1}])
def test_an_event_of_another_publisher_is_its_argument(payload):
    assert Event.of(TOPIC, payload, 12) == Event(TOPIC, "", payload, "", None)


def test_since_must_be_a_position():
    with pytest.raises(InvalidPosition, match="'yesterday' is not a position"):
        Stream(TOPIC, "yesterday")


def test_without_a_position_events_pass_at_once_and_nothing_is_told():
    stream = Stream(TOPIC)
    assert stream.hold() is None
    assert stream.take(event(5)) == [event(5)]
    assert stream.answer(not_recovered(7)) == Answered([], None, "e:7")
    assert stream.take(event(7)) == []
    assert stream.take(event(8)) == [event(8)]


def test_a_stream_that_was_cut_before_it_knew_its_position_is_told_of_the_gap():
    stream = Stream(TOPIC)
    stream.hold()
    assert stream.hold() is None
    assert stream.take(event(9)) == []
    assert stream.answer(not_recovered(8)) == Answered([event(9)], False, "e:8")


def test_with_a_position_events_are_held_back_until_the_answer_and_come_after_it():
    stream = asked("e:3")
    assert stream.take(event(6)) == []
    assert stream.take(event(7)) == []
    assert stream.answer(recovered(4, 6)) == Answered([event(4), event(6), event(7)], True, "e:7")


def test_an_answer_of_nothing_missed_raises_the_position():
    stream = asked("e:3")
    assert stream.answer(recovered(position=90)) == Answered([], True, "e:90")


def test_events_that_are_not_later_than_the_position_are_ignored():
    stream = asked("e:3")
    assert stream.answer(recovered(3, 4, 4, 2, 5)).events == [event(4), event(5)]
    assert stream.take(event(5)) == []


def test_a_page_is_handed_on_and_the_rest_asked_for():
    stream = asked("e:3")
    stream.take(event(9))
    assert stream.answer(recovered(4, 5, more=True)) == Answered([event(4), event(5)], None, "e:5", more=True)
    assert stream.take(event(10)) == []
    assert stream.answer(recovered(6, 9)) == Answered([event(6), event(9), event(10)], True, "e:10")


def test_a_page_that_leads_nowhere_is_a_gap_and_not_asked_for_again():
    stream = asked("e:3")
    assert stream.answer(recovered(3, more=True)) == Answered([], False, "e:3")


def test_told_false_what_is_held_up_to_the_position_is_part_of_the_state():
    stream = asked("e:3")
    stream.take(event(8))
    stream.take(event(9))
    assert stream.answer(not_recovered(8)) == Answered([event(9)], False, "e:8")


def test_told_false_in_another_epoch_the_stream_goes_on_there():
    stream = asked("e:300")
    stream.take(event(8, "f"))
    assert stream.answer(not_recovered(7, "f")) == Answered([event(8, "f")], False, "f:7")
    assert stream.position == "f:8"


@pytest.mark.parametrize("answer", [None, {}, {"recovered": "yes"}, {"recovered": True, "events": "none"}], ids=str)
def test_an_answer_that_says_nothing_lets_go_of_what_is_held(answer):
    stream = asked("e:3")
    stream.take(event(5))
    answered = stream.answer(answer)
    assert (answered.events, answered.recovered) == ([event(5)], bool(answer and answer.get("recovered") is True))


def test_a_beat_raises_the_position_unless_events_are_held_back():
    stream = asked("e:3")
    stream.beat("e:9")
    assert stream.position == "e:3"
    stream.answer(recovered(position=3))
    stream.beat("e:9")
    stream.beat("e:8")
    stream.beat("f:20")
    stream.beat("nonsense")
    stream.beat(None)
    assert stream.position == "e:9"


def test_a_beat_gives_a_position_where_there_is_none():
    stream = Stream(TOPIC)
    stream.hold()
    stream.beat("e:9")
    assert stream.position == "e:9"


def test_an_event_without_a_position_passes_and_moves_nothing():
    stream = Stream(TOPIC, "e:3")
    other = Event(TOPIC, "", 1, "", None)
    assert stream.take(other) == [other]
    assert stream.position == "e:3"


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
        self.stream = Stream(TOPIC, f"e:{self.tail}" if since else None)
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
