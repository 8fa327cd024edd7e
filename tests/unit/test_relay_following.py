"""The follower, one rule at a time; ``test_relay_model`` has their interplay."""

import pytest
from msgspec import structs

from stork_node.errors import InvalidFrame
from stork_node.protocol.bus import EraseFrame, Heartbeat, OtherFrame, PushFrame, encode_push_frame
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.protocol.replay import Page, PageHeader, ReplayRequest
from stork_node.relay.counters import RelayCounters
from stork_node.relay.following import UNKNOWN_SOURCE_S, Follower
from stork_node.relay.steps import Ask, HistoricPush, StreamStart
from stork_node.relay.waiting import Waiting

NOW = "2026-01-31T12:00:00.000Z"
EVENT = b'{"type":"t","data":null,"timestamp":"2026-01-31T12:00:00.000Z"}'


def push(sequence, epoch="e", run="r"):
    return PushFrame(Position(epoch, sequence), run, ("v1.a.1",), (), True, EVENT)


def beat(sequence, epoch="e", run="r"):
    return Heartbeat(Position(epoch, sequence), run, NOW, {})


def page(after, last, tail=None, *, epoch="e", run="r", without=(), frames=None):
    if frames is None:
        numbers = [number for number in range(after + 1, last + 1) if number not in without]
        written = Push(("v1.a.1",), "t", b"null", NOW)
        frames = [encode_push_frame(Position(epoch, number), "r", written) for number in numbers]
    return Page(PageHeader(epoch, run, 0, last if tail is None else tail, after, last), frames)


def request(after, epoch="e", run="r"):
    return ReplayRequest(epoch, after, run, 300.0, 1000)


def new():
    return Follower(300.0, 1000, RelayCounters())


def following(last=10):
    """A follower that is at ``last``."""
    follower = new()
    follower.take([beat(last)], 0.0)
    follower.answer(page(last, last), 0.0)
    return follower


def test_only_the_first_frame_makes_it_ask_where_to_begin():
    follower = new()
    assert follower.take([push(7)], 0.0) == [Ask(ReplayRequest("", 0, "", 300.0, 1000))]
    assert follower.take([push(8), beat(8)], 0.0) == []
    assert follower.position is None
    assert not follower.is_ready


def test_pushes_up_to_the_first_tail_are_history_and_later_ones_events():
    follower = new()
    follower.take([push(7)], 0.0)
    follower.take([push(8), push(9)], 0.0)
    steps = follower.answer(page(4, 7), 0.0)
    assert steps == [
        StreamStart(Position("e", 4), False),
        HistoricPush(push(5)),
        HistoricPush(push(6)),
        HistoricPush(push(7)),
        push(8),
        push(9),
    ]
    assert follower.position == Position("e", 9)
    assert follower.is_ready


def test_it_asks_page_after_page_and_is_ready_at_the_first_tail():
    follower = new()
    follower.take([push(6)], 0.0)
    assert follower.answer(page(0, 2, tail=4), 0.0)[-1] == Ask(request(2))
    assert not follower.is_ready
    steps = follower.answer(page(2, 5, tail=6), 0.0)
    assert steps == [HistoricPush(push(3)), HistoricPush(push(4)), push(5), Ask(request(5))]
    assert follower.is_ready
    assert follower.answer(page(5, 6), 0.0) == [push(6)]


def test_each_push_is_taken_once_and_what_comes_again_is_not():
    assert following(10).take([push(10), push(11), push(11), push(9), push(12), beat(12), beat(3)], 0.0) == [
        push(11),
        push(12),
    ]


@pytest.mark.parametrize("frame", [push(13), beat(11), beat(12)])
def test_what_is_missing_is_asked_for(frame):
    follower = following(10)
    assert follower.take([frame], 0.0) == [Ask(request(10))]
    assert follower.answer(page(10, 12, without=[11]), 1.0)[0] == push(12)
    assert follower.take([push(13), push(14)], 1.0)[-1] == push(14)


def test_numbers_of_a_page_without_a_frame_are_passed_over():
    follower = following(10)
    follower.take([beat(13)], 0.0)
    assert follower.answer(page(10, 13, without=[11, 12, 13]), 0.0) == []
    assert follower.position == Position("e", 13)


def test_an_erasure_takes_its_number():
    erasure = EraseFrame(Position("e", 11), "r", "v1.a.1")
    assert following(10).take([erasure, push(12)], 0.0) == [erasure, push(12)]


def test_another_run_is_followed_once_replay_has_confirmed_it():
    follower = following(10)
    assert follower.take([push(11, run="s")], 5.0) == [Ask(request(10))]
    assert follower.take([push(12, run="s")], 5.0) == []
    assert follower.answer(page(10, 11, run="s"), 5.0) == [push(11), push(12, run="s")]
    assert follower.take([push(13, run="s")], 5.0) == [push(13, run="s")]


@pytest.mark.parametrize(
    ("answer", "position"),
    [
        (page(0, 3, epoch="f", run="s"), "f:0"),
        (page(10, 12, epoch="f", run="s"), "f:10"),
        (page(11, 12, run="s"), "e:11"),
    ],
)
def test_another_epoch_or_a_log_that_does_not_reach_back_is_a_break(answer, position):
    follower = following(10)
    follower.take([beat(12, "f", "s")], 5.0)
    steps = follower.answer(answer, 5.0)
    assert steps[0] == StreamStart(Position.parse(position), True)
    assert all(isinstance(step, HistoricPush) for step in steps[1:])
    assert follower.is_ready


def test_a_page_with_a_frame_that_cannot_be_read_is_a_break_after_it():
    follower = following(10)
    follower.take([beat(13)], 0.0)
    readable = page(10, 11).frames
    steps = follower.answer(page(10, 13, frames=[*readable, b"stork 7 push {}\n{}"]), 0.0)
    assert steps == [push(11), StreamStart(Position("e", 13), True)]
    assert follower.take([push(14)], 0.0) == [push(14)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (page(9, 12), "a page after 9 where 10 was asked for"),
        (page(10, 12, tail=11), "a page from 10 to 12, of a log that ends at 11"),
        (page(10, 8), "a page from 10 to 8, of a log that ends at 8"),
        (page(10, 10, tail=12), "an empty page after 10, of a log that goes on to 12"),
        (page(10, 11, frames=page(11, 12).frames), "a page with a frame that does not belong there: e:12 after 10"),
        (page(10, 12, frames=page(10, 11).frames * 2), "a page with a frame that does not belong there: e:11 after 11"),
        (
            page(10, 12, frames=page(10, 12, epoch="f").frames),
            "a page with a frame that does not belong there: f:11 after 10",
        ),
    ],
)
def test_a_page_that_is_no_answer_changes_nothing(answer, reason):
    follower = following(10)
    follower.take([beat(12)], 0.0)
    with pytest.raises(InvalidFrame) as refused:
        follower.answer(answer, 0.0)
    assert refused.value.reason == reason
    assert follower.answer(page(10, 12), 0.0) == [push(11), push(12)]


def test_a_page_that_nobody_asked_for_is_refused():
    with pytest.raises(InvalidFrame, match="a page that nobody asked for"):
        following(10).answer(page(10, 11), 0.0)


def test_a_request_without_an_answer_is_repeated_with_growing_patience():
    follower = following(10)
    follower.take([beat(11)], 0.0)
    asked_at = []
    for now in range(40):
        if follower.tick(float(now)) == [Ask(request(10), anew=True)]:
            asked_at.append(now)
    assert asked_at == [2, 6, 14, 24, 34]
    assert follower.waits_since == 0.0
    follower.answer(page(10, 11), 40.0)
    assert follower.waits_since is None
    assert follower.tick(100.0) == []


def test_frames_that_replay_does_not_confirm_are_foreign_and_ignored():
    follower = following(10)
    foreign = push(3, "other", "x")
    assert follower.take([foreign], 100.0) == [Ask(request(10))]
    assert follower.answer(page(10, 10), 100.0) == []
    assert not follower.sees_unknown_source(100.0)
    assert follower.take([foreign, push(11), foreign], 100.5) == [push(11)]
    assert follower.sees_unknown_source(100.5 + UNKNOWN_SOURCE_S - 0.1)
    assert not follower.sees_unknown_source(100.5 + UNKNOWN_SOURCE_S)


def test_a_request_has_the_proof_of_the_last_number_whoever_brought_it():
    follower = new()
    follower.take([push(7)], 0.0)
    follower.answer(proven(page(4, 7), "of 7"), 0.0)
    assert follower.take([beat(9)], 0.0) == [Ask(structs.replace(request(7), proof="of 7"))]
    follower.answer(proven(page(7, 9), "of 9"), 0.0)
    ten = structs.replace(push(10), proof="of 10")
    eleven = OtherFrame(Position("e", 11), "r", "command", "of 11")
    foreign = structs.replace(push(12, run="s"), proof="foreign")
    assert follower.take([ten, foreign], 10.0)[-1] == Ask(structs.replace(request(10), proof="of 10"))
    follower.answer(proven(page(10, 10), "of 10"), 10.0)
    assert follower.take([eleven, beat(11), beat(12)], 20.0) == [Ask(structs.replace(request(11), proof="of 11"))]
    # A server of an older release proves nothing, and what was proven before does not speak for its numbers.
    follower.answer(page(11, 12), 20.0)
    assert follower.take([beat(13)], 20.0) == [Ask(request(12))]


def proven(answer, proof):
    return Page(structs.replace(answer.header, proof=proof), answer.frames)


def test_replay_is_asked_about_foreign_frames_once_a_second():
    follower = following(10)
    asked = 0
    for tenth in range(100):
        now = 100 + tenth / 10
        if follower.take([push(3, "other", "x")], now):
            asked += 1
            follower.answer(page(10, 10), now)
    assert asked == 10


def test_late_frames_of_the_run_before_are_not_foreign():
    follower = following(10)
    follower.take([beat(10, run="s")], 50.0)
    follower.answer(page(10, 10, run="s"), 50.0)
    assert follower.take([push(9), push(10)], 51.0) == []
    assert not follower.sees_unknown_source(51.0)


def test_what_does_not_fit_while_it_waits_is_dropped_and_asked_for():
    waiting = Waiting(max_bytes=1800)
    assert [waiting.add(push(number)) for number in range(6)] == [0, 0, 0, 1, 1, 1]
    assert [frame.position.sequence for frame in waiting.take(("e", "r"), 0)[0]] == [3, 4, 5]
    assert waiting.take(("e", "r"), 0) == ([], 0)


def test_a_number_before_a_page_that_its_log_lacks_was_never_given():
    follower = following(10)
    follower.take([push(99), push(12)], 0.0)
    follower.take([push(98), push(13)], 0.0)
    # What came after the request may have been published after the page.
    steps = follower.answer(page(10, 12), 0.0)
    assert steps == [push(11), push(12), Ask(request(12))]
    assert follower.answer(page(12, 13), 0.0) == [push(13)]
    assert follower.take([push(14)], 0.0) == [push(14)]
    assert follower._counters.refused == 2


def test_a_relay_that_is_refused_asks_for_a_beginning_once():
    follower = following(10)
    follower.take([beat(11)], 0.0)
    assert follower.refuse(0.0) == [Ask(request(0, epoch="", run=""))]
    assert follower.refuse(0.0) == []
    assert follower.answer(page(0, 2), 0.0)[0] == StreamStart(Position("e", 0), True)
    assert follower.refuse(0.0) == []


def test_heartbeats_that_stay_behind_make_it_ask_and_a_late_one_does_not():
    follower = following(10)
    assert follower.take([beat(9)], 0.0) == []
    assert follower.take([beat(10)], 9.0) == []
    assert follower.take([beat(9)], 15.0) == []
    assert follower.take([beat(9)], 25.0) == [Ask(request(10))]


def test_a_tail_that_was_too_high_does_not_keep_it_from_being_ready():
    follower = new()
    follower.take([push(1)], 0.0)
    follower.answer(page(0, 1, tail=1_000_000), 0.0)
    assert not follower.is_ready
    follower.answer(page(1, 2), 0.0)
    assert follower.is_ready


def test_no_more_than_100_foreign_sources_are_remembered():
    follower = following(10)
    for number in range(1, 1000):
        follower.take([beat(1, epoch=f"other{number}")], 10.0 * number)
        follower.answer(page(10, 10), 10.0 * number)
    assert len(follower._rejected_sources) <= 100


def test_an_entry_of_a_newer_release_only_takes_its_number():
    follower = following(10)
    other = OtherFrame(Position("e", 11), "r", "unheard_of")
    assert follower.take([other, push(12), other], 1.0) == [push(12)]
    assert follower.position == Position("e", 12)


def test_an_entry_of_a_newer_release_in_a_page_is_passed_over_in_its_place():
    follower = following(10)
    follower.take([push(14)], 1.0)
    frames = page(10, 13).frames
    frames[1] = b'stork 1 unheard_of {"epoch":"e","sequence":12,"run":"r","consumer":"c"}\n{}'
    steps = follower.answer(page(10, 14, frames=frames), 1.0)
    assert [step.position.sequence for step in steps] == [11, 13]
    assert follower.position == Position("e", 14)
