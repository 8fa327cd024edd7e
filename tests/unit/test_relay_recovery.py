import json
from collections import Counter

import pytest

from stork_node.errors import CallError
from stork_node.protocol.bus import Heartbeat, PushFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import Page, PageHeader
from stork_node.relay.history_settings import HistorySettings
from stork_node.relay.recovery import MAX_PAGE_BYTES, PAGE_BYTES, RecoverRequest, Recovery, read_request
from stork_node.relay.stream import NodeStream

NOW = "2026-01-31T12:00:00.000Z"
SESSION = 7
ONE_ARGUMENT = 'one argument is wanted, {"v1.orders.42": "<position>"}, and max_bytes, sessions or patterns'
PATTERNS = "patterns names those of the topics that are patterns"
SESSIONS = "sessions is a list of at most 1,000 ids of sessions"


def push(sequence, topics=("v1.a.1",), data="null", exclude=()):
    event = f'{{"type":"t","data":{data},"timestamp":"{NOW}"}}'.encode()
    return PushFrame(Position("e", sequence), "r", tuple(topics), tuple(exclude), True, event)


def node(at=10):
    """A stream that began at ``at``, and recovery for a session that receives all but v1.secret."""
    stream = NodeStream(HistorySettings())
    stream.take([Heartbeat(Position("e", at), "r", NOW, {})], 0.0)
    stream.answer(Page(PageHeader("e", "r", 0, at, at, at), []), 0.0)
    return stream, Recovery(stream, lambda session, topic, match: not topic.startswith("v1.secret."))


def recover(recovery, given, session=SESSION, **options):
    request = read_request((given,), options)
    assert recovery.lacks(session, request) is None
    return recovery.answer(session, request)


def event(position, data=None):
    return {"position": position, "type": "t", "data": data, "timestamp": NOW}


def test_a_client_gets_the_missed_events_and_a_position_for_each_topic():
    stream, recovery = node()
    stream.take([push(11, data="1"), push(12, ["v1.a.2"]), push(13, ["v1.a.1", "v1.a.2"], data="3")], 0.0)
    assert recover(recovery, {"v1.a.1": "e:11", "v1.a.2": "e:10", "v1.quiet.1": "e:12"}) == {
        "v1.a.1": {"recovered": True, "position": "e:13", "events": [event("e:13", 3)]},
        "v1.a.2": {"recovered": True, "position": "e:13", "events": [event("e:12"), event("e:13", 3)]},
        "v1.quiet.1": {"recovered": True, "position": "e:13", "events": []},
    }


@pytest.mark.parametrize("given", [None, "e:9", "f:11", "", "e:", "e:-1", "e:011", "e:1e1", "nonsense", 11, [], {}])
def test_null_malformed_foreign_and_too_old_positions_are_false(given):
    stream, recovery = node()
    stream.take([push(11)], 0.0)
    assert recover(recovery, {"v1.a.1": given}) == {"v1.a.1": {"recovered": False, "position": "e:11", "events": []}}


@pytest.mark.parametrize("given", ["e:10", "e:11"])
def test_the_floor_and_the_nodes_own_position_are_true(given):
    stream, recovery = node()
    stream.take([push(11)], 0.0)
    assert recover(recovery, {"v1.a.1": given})["v1.a.1"]["recovered"] is True


def named(position, topic, data=None):
    return {"topic": topic, **event(position, data)}


A, A_PATTERN = "v1.a.", {"patterns": {"v1.a.": "prefix"}}


def test_a_pattern_gets_what_all_its_topics_missed_in_order():
    stream, recovery = node()
    pushes = [push(11, ["v1.a.1"]), push(12, ["v1.b.1"]), push(13, ["v1.a.2", "v1.a.1", "v1.b.1"], data="3")]
    stream.take([*pushes, push(14, ["v1.a.new"], exclude=[SESSION]), push(15, ["v1.a.new"])], 0.0)
    for uri, match in ((A, "prefix"), (A, "wildcard")):
        answer = recover(recovery, {uri: "e:10"}, patterns={uri: match})[uri]
        assert (answer["recovered"], answer["position"], answer.get("more")) == (True, "e:15", None)
        first, *both, last = answer["events"]
        assert (first, last) == (named("e:11", "v1.a.1"), named("e:15", "v1.a.new"))
        assert sorted(both, key=lambda each: each["topic"]) == [
            named("e:13", "v1.a.1", 3),
            named("e:13", "v1.a.2", 3),
        ]


def test_a_page_of_a_pattern_ends_between_pushes():
    stream, recovery = node()
    both = ["v1.a.1", "v1.a.2"]
    stream.take([push(number, both, data=json.dumps("x" * 300)) for number in range(11, 16)], 0.0)
    position, got = "e:10", []
    while True:
        page = recover(recovery, {A: position}, max_bytes=1000, **A_PATTERN)[A]
        got += [(each["position"], each["topic"]) for each in page["events"]]
        position = page["position"]
        if not page.get("more"):
            break
        assert len(page["events"]) == 2
    assert sorted(got) == [(f"e:{number}", topic) for number in range(11, 16) for topic in both]


@pytest.mark.parametrize("given", [None, "e:9", "f:11", "e:1", "nonsense"])
def test_a_pattern_is_told_false_as_a_topic_is(given):
    stream, recovery = node()
    stream.take([push(11)], 0.0)
    assert recover(recovery, {A: given}, **A_PATTERN) == {A: {"recovered": False, "position": "e:11", "events": []}}


def test_a_pattern_is_told_false_where_one_of_its_topics_lost_something():
    stream, recovery = node()
    stream.take([push(11), push(12, ["v1.b.1"]), push(13, ["v1.a.2"])], 0.0)
    stream.histories.erase("v1.a.1", 14)
    assert recover(recovery, {A: "e:13"}, **A_PATTERN)[A]["recovered"] is False
    others = {"patterns": {"v1.b.": "prefix"}}
    assert recover(recovery, {"v1.b.": "e:10"}, **others)["v1.b."]["recovered"] is True


def test_a_push_that_is_too_much_for_one_answer_is_told_false():
    stream, recovery = node()
    stream.take([push(11, [f"v1.a.{n}" for n in range(50)], data=json.dumps("x" * 60_000))], 0.0)
    assert recover(recovery, {A: "e:10"}, **A_PATTERN)[A]["recovered"] is False


def test_a_topic_that_the_session_does_not_receive_is_absent_at_once():
    _, recovery = node()
    assert recover(recovery, {"v1.secret.1": "e:99", "v1.a.1": "e:10"}).keys() == {"v1.a.1"}


def test_a_session_that_was_excluded_does_not_get_it_now():
    stream, recovery = node()
    stream.take([push(11, exclude=[SESSION]), push(12)], 0.0)
    assert recover(recovery, {"v1.a.1": "e:10"})["v1.a.1"]["events"] == [event("e:12")]
    assert len(recover(recovery, {"v1.a.1": "e:10"}, session=8)["v1.a.1"]["events"]) == 2
    later = recover(recovery, {"v1.a.1": "e:10"}, session=8, sessions=[5, SESSION])
    assert later["v1.a.1"] == {"recovered": True, "position": "e:12", "events": [event("e:12")]}


def test_what_is_ahead_of_the_node_is_lacked_until_it_gets_there():
    stream, recovery = node()
    positions = read_request(({"v1.a.1": "e:12", "v1.a.2": "e:11"},), {}).positions
    assert recovery.lacks(SESSION, RecoverRequest(positions)) == Position("e", 12)
    stream.take([push(11), push(12)], 0.0)
    assert recovery.lacks(SESSION, RecoverRequest(positions)) is None


def test_before_the_tail_that_it_met_a_node_answers_nothing():
    stream = NodeStream(HistorySettings())
    recovery = Recovery(stream, lambda *_: True)
    assert recovery.lacks(SESSION, RecoverRequest({})) == Position("", 0)
    stream.take([Heartbeat(Position("e", 20), "r", NOW, {})], 0.0)
    stream.answer(Page(PageHeader("e", "r", 0, 20, 10, 15), []), 0.0)
    assert recovery.lacks(SESSION, RecoverRequest({})) == Position("e", 20)
    stream.answer(Page(PageHeader("e", "r", 0, 20, 15, 20), []), 0.0)
    assert recovery.lacks(SESSION, RecoverRequest({})) is None
    error = recovery.not_ready()
    assert (error.uri, error.message) == (
        "io.virge.stork.not_ready",
        "this node has not come so far yet, try again",
    )


def test_all_topics_share_an_answers_bytes_and_pages_bring_all_events():
    stream, recovery = node()
    data = json.dumps("x" * 100_000)
    stream.take([push(number, [f"v1.a.{number % 2}"], data) for number in range(11, 31)], 0.0)
    given, got, pages = {"v1.a.0": "e:10", "v1.a.1": "e:10"}, {"v1.a.0": [], "v1.a.1": []}, 0
    while given:
        answer = recover(recovery, given, max_bytes=MAX_PAGE_BYTES)
        pages += 1
        assert sum(len(json.dumps(each["data"])) for one in answer.values() for each in one["events"]) > 0
        assert sum(len(json.dumps(each["data"])) for one in answer.values() for each in one["events"]) < MAX_PAGE_BYTES
        for topic, one in answer.items():
            assert one["recovered"] is True
            got[topic] += [each["position"] for each in one["events"]]
            if one.get("more"):
                assert one["position"] == (one["events"][-1]["position"] if one["events"] else given[topic])
        given = {topic: one["position"] for topic, one in answer.items() if one.get("more")}
    assert got == {f"v1.a.{n}": [f"e:{k}" for k in range(11, 31) if k % 2 == n] for n in (0, 1)}
    assert pages == 4


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, PAGE_BYTES),
        ({"max_bytes": None}, PAGE_BYTES),
        ({"max_bytes": 20_000}, 20_000),
        ({"max_bytes": 1 << 40}, 512 << 10),
    ],
)
def test_an_answer_has_as_many_bytes_as_the_client_says(options, most):
    stream, recovery = node()
    stream.take([push(number, data=json.dumps("x" * 9_900)) for number in range(11, 111)], 0.0)
    [answer] = recover(recovery, {"v1.a.1": "e:10"}, **options).values()
    assert len(answer["events"]) == most // 10_000
    assert answer["more"] is True


def test_one_event_goes_into_an_answer_however_large_it_is():
    stream, recovery = node()
    stream.take([push(11, data=json.dumps("x" * 700_000)), push(12, data=json.dumps("x" * 700_000))], 0.0)
    [answer] = recover(recovery, {"v1.a.1": "e:10"}).values()
    assert ([each["position"] for each in answer["events"]], answer["more"]) == (["e:11"], True)


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        ((), {}, ONE_ARGUMENT),
        (([],), {}, ONE_ARGUMENT),
        (({}, {}), {}, ONE_ARGUMENT),
        (({},), {"x": 1}, ONE_ARGUMENT),
        *((({},), {"max_bytes": value}, "max_bytes is a number of bytes") for value in (0, -1, "64", 1.5, True, [])),
        *((({},), {"sessions": value}, SESSIONS) for value in (1, "1", ["1"], [True], [1] * 1001, {"1": 1})),
        (({5: None},), {}, "a topic is a text"),
        *((({"v1.a.": None},), {"patterns": value}, PATTERNS) for value in (1, ["v1.a."], {"v1.b.": "prefix"})),
        (({"v1.a.": None},), {"patterns": {"v1.a.": "exact"}}, "a pattern is of match prefix or wildcard"),
        (({f"v1.a.{n}": None for n in range(1001)},), {}, "1,001 topics, at most 1,000 are answered at once"),
    ],
)
def test_wrong_arguments_are_named(args, kwargs, sentence):
    with pytest.raises(CallError) as wrong:
        read_request(args, kwargs)
    assert (wrong.value.uri, wrong.value.message) == ("wamp.error.invalid_argument", sentence)


def test_answers_are_counted_by_kind():
    stream, recovery = node()
    recover(recovery, {"v1.a.1": None, "v1.a.2": "f:1", "v1.a.3": "e:10", "v1.secret.1": None})
    assert stream.counters.recoveries == Counter(asked=1, not_recovered=1, recovered=1, absent=1)


@pytest.mark.parametrize("data", ["1e400", "[" * 2000 + "]" * 2000, "nonsense"])
def test_a_history_that_cannot_be_read_is_false_and_no_error(data):
    """The publish server lets no such push through; one that lies would have clients ask for ever."""
    stream, recovery = node()
    stream.take([push(11, data=data), push(12, topics=["v1.a.2"])], 0.0)
    assert recover(recovery, {"v1.a.1": "e:10", "v1.a.2": "e:10"}) == {
        "v1.a.1": {"recovered": False, "position": "e:12", "events": []},
        "v1.a.2": {"recovered": True, "position": "e:12", "events": [event("e:12")]},
    }
    assert stream.counters.recoveries == Counter(not_recovered=1, recovered=1)


def test_a_push_that_leaves_out_many_is_looked_through_once():
    class Counted(tuple[int, ...]):
        __slots__ = ()
        walks = 0

        def __iter__(self):
            Counted.walks += 1
            return super().__iter__()

    stream, recovery = node()
    topics = [f"v1.a.{i}" for i in range(100)]
    frame = push(11, topics)
    stream.take([PushFrame(frame.position, frame.run, frame.topics, Counted(range(100, 200)), True, frame.event)], 0.0)
    answers = recover(recovery, dict.fromkeys(topics, "e:10"))
    assert len(answers) == 100
    assert Counted.walks <= 2
