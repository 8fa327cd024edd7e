import json
from collections.abc import Sequence

import pytest

from stork_node.engines.embedded import EmbeddedEngine
from stork_node.protocol.bus import PushFrame, decode_frame
from stork_node.protocol.push import PositionRequest, Push
from stork_node.publish_server.counters import Counters
from stork_node.publish_server.intake import Arrival, Intake, Outcome, Refusal, Request
from stork_node.push_log import Entry, SegmentLog, StorageFailed, epochs
from tests.malformed import NOW


class FullDisk(SegmentLog):
    full = False

    def append(self, pushes: Sequence[Push]) -> list[Entry]:
        if self.full:
            raise StorageFailed("no space left on device")
        return super().append(pushes)


def arrivals(*requests: Request) -> list[Arrival]:
    return [Arrival(request, [b"peer"]) for request in requests]


class Desk:
    """An intake with all that it needs; ``answers`` are read."""

    def __init__(self, log: SegmentLog) -> None:
        self.log = log
        self.counters = Counters()
        self.intake = Intake(EmbeddedEngine(log, 1000.0), self.counters)
        self.now = 1000.0

    def take(self, *requests: Request) -> Outcome:
        return self.intake.take(arrivals(*requests), self.now)

    def answers(self, *requests: Request) -> list[object]:
        return [json.loads(answer) for answer in self.take(*requests).answers]


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(epochs, "new_epoch", lambda: "e")
    with FullDisk(tmp_path) as log:
        yield log


@pytest.fixture
def desk(log) -> Desk:
    return Desk(log)


def push(id_: str | None = None, type_: str = "t") -> Push:
    return Push(("v1.a.1",), type_, b"null", NOW, id_)


def stored(id_: str | None, sequence: int, **more: bool) -> dict[str, object]:
    return {"ok": True, "id": id_, "position": f"e:{sequence}"} | more


def test_pushes_are_numbered_in_the_order_in_which_they_came(desk):
    assert desk.answers(push("a"), push(), push("b")) == [stored("a", 1), stored(None, 2), stored("b", 3)]
    assert desk.answers(push("c")) == [stored("c", 4)]
    assert desk.counters.accepted == 4


def test_frames_are_in_the_order_of_their_numbers_and_carry_them(desk):
    assert desk.take(push(type_="x"), Refusal(None, "no"), push(type_="y")).stored == 2
    frames = [decode_frame(frame) for frame in desk.log.follow(0).frames]
    assert [(f.position.sequence, json.loads(f.event)["type"]) for f in frames if isinstance(f, PushFrame)] == [
        (1, "x"),
        (2, "y"),
    ]


def test_a_refused_push_takes_no_number_and_is_answered_in_its_place(desk):
    answers = desk.answers(push("a"), Refusal("r", "topics[1]: 'x' is not a topic"), push("b"))
    refused = {"ok": False, "id": "r", "error": "invalid_push", "reason": "topics[1]: 'x' is not a topic"}
    assert answers == [stored("a", 1), refused, stored("b", 2)]
    assert desk.counters.refused == {"topics": 1}


def test_an_id_that_was_seen_gets_its_first_position_and_is_not_published(desk):
    desk.take(push("a"), push("b"))
    outcome = desk.take(push("a"), push("c"))
    assert [json.loads(answer) for answer in outcome.answers] == [stored("a", 1, duplicate=True), stored("c", 3)]
    assert outcome.stored == 1
    assert desk.counters.duplicates == 1


def test_of_equal_ids_in_one_batch_the_second_is_a_duplicate(desk):
    outcome = desk.take(push("a", "first"), push("b"), push("a", "first"))
    assert [json.loads(answer) for answer in outcome.answers] == [
        stored("a", 1),
        stored("b", 2),
        stored("a", 1, duplicate=True),
    ]
    assert [b'"first"' in frame or b'"t"' in frame for frame in desk.log.follow(0).frames] == [True, True]


def test_pushes_without_an_id_are_never_duplicates(desk):
    assert desk.answers(push(), push()) == [stored(None, 1), stored(None, 2)]


def test_an_id_is_free_again_after_five_minutes(desk):
    desk.take(push("a"))
    desk.now += 300.1
    assert desk.answers(push("a")) == [stored("a", 2)]


def test_the_position_is_that_of_the_last_push_or_zero(desk):
    assert desk.answers(PositionRequest()) == [{"ok": True, "position": "e:0"}]
    assert desk.answers(push(), PositionRequest())[1] == {"ok": True, "position": "e:1"}
    assert desk.answers(PositionRequest()) == [{"ok": True, "position": "e:1"}]


def test_a_batch_that_cannot_be_stored_is_refused_and_leaves_its_ids_free(log):
    log.full, counters = True, Counters()
    intake = Intake(EmbeddedEngine(log, 1000.0), counters)
    outcome = intake.take(arrivals(push("a"), push("a"), PositionRequest(), Refusal(None, "type: missing")), 1.0)
    failed = {"ok": False, "id": "a", "error": "storage_failed", "reason": "no space left on device"}
    assert [json.loads(answer) for answer in outcome.answers] == [
        failed,
        failed,
        {"ok": True, "position": "e:0"},
        {"ok": False, "id": None, "error": "invalid_push", "reason": "type: missing"},
    ]
    assert (outcome.stored, outcome.failure) == (0, "no space left on device")
    assert (counters.storage_failed, counters.accepted) == (2, 0)
    log.full = False
    assert json.loads(intake.take(arrivals(push("a")), 2.0).answers[0]) == stored("a", 1)


def test_what_was_stored_before_the_disk_was_full_is_still_recognized(log):
    intake = Intake(EmbeddedEngine(log, 1000.0), Counters())
    intake.take(arrivals(push("a")), 1.0)
    log.full = True
    answers = [json.loads(answer) for answer in intake.take(arrivals(push("a"), push("b")), 2.0).answers]
    assert answers[0] == stored("a", 1, duplicate=True)
    assert answers[1]["error"] == "storage_failed"


def other(id_: str) -> Push:
    return Push(("v1.a.1",), "t", b"1", NOW, id_)


REUSED = {
    "ok": False,
    "id": "k",
    "error": "id_reused",
    "reason": "id: 'k' is that of another push, which is stored at e:1",
}


@pytest.mark.parametrize(
    "second",
    [
        Push(("v1.a.2",), "t", b"null", NOW, "k"),
        Push(("v1.a.1", "v1.a.2"), "t", b"null", NOW, "k"),
        Push(("v1.a.1",), "u", b"null", NOW, "k"),
        Push(("v1.a.1",), "t", b"1", NOW, "k"),
    ],
)
def test_an_id_of_another_push_is_refused_in_a_batch_and_later(desk, second):
    assert desk.answers(push("k"), second, push("k")) == [stored("k", 1), REUSED, stored("k", 1, duplicate=True)]
    assert desk.answers(second) == [REUSED]
    assert desk.counters.refused == {"id": 2}
    assert desk.log.tail.sequence == 1


def test_what_goes_beside_the_content_makes_no_other_push(desk):
    assert desk.answers(push("k")) == [stored("k", 1)]
    again = Push(("v1.a.1",), "t", b"null", "2026-02-01T00:00:00Z", "k", exclude=(7,), store=False)
    assert desk.answers(again) == [stored("k", 1, duplicate=True)]


def test_an_id_that_is_forgotten_may_be_used_again(desk):
    desk.answers(push("k"))
    desk.now += 301.0
    assert desk.answers(other("k")) == [stored("k", 2)]


def test_an_id_from_before_the_start_is_known_without_its_content(log):
    Desk(log).answers(push("k"))
    desk = Desk(log)
    assert desk.answers(other("k")) == [stored("k", 1, duplicate=True)]
