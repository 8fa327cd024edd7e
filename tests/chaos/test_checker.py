"""The checker, with histories made by hand: each promise broken, and each excuse."""

import pytest

from tests.chaos.checker import check
from tests.chaos.histories import Announced, Entry, Got, Left, Pushed, Replaced, Start, Verdict

TOPIC = "v1.chaos.1"


def pushed(*sequences: int, epoch: str = "e", **options: object) -> list[Pushed]:
    """One push for each sequence, answered, at the time of its number."""
    return [Pushed(f"{epoch}{n}", (TOPIC,), f"{epoch}:{n}", n, n, **options) for n in sequences]  # type: ignore[arg-type]


def got(*sequences: int, epoch: str = "e") -> list[Got]:
    return [Got(f"{epoch}{n}", f"{epoch}:{n}", n) for n in sequences]


def judge(pushes: list[Pushed], *entries: Entry, replaced: tuple[Replaced, ...] = ()) -> dict[str, int]:
    """The findings that are not empty."""
    verdict = check(pushes, {("s", TOPIC): entries}, replaced)
    return {kind: count for kind, count in verdict.counts.items() if count}


def test_all_that_was_pushed_after_the_start_and_in_order_is_clean() -> None:
    verdict = check(pushed(1, 2, 3, 5), {("s", TOPIC): [Start("e:2"), *got(3, 5)]})
    assert (verdict.clean, verdict.pushes, verdict.delivered) == (True, 4, 2)


def test_a_missed_push_is_missing_once_and_unannounced_once_for_each_gap() -> None:
    assert judge(pushed(1, 2, 3, 4, 5), Start("e:0"), *got(1, 4)) == {"missing": 3, "unannounced": 2}


def test_what_is_missing_is_named() -> None:
    verdict = check(pushed(1, 2), {("s", TOPIC): [Start("e:0"), *got(1)]})
    assert verdict.findings == [
        "missing: s on v1.chaos.1 did not get e2 at 2",
        "unannounced: s on v1.chaos.1 did not get e2 at 2 and was not told",
    ]


def test_who_has_left_is_owed_what_came_before_its_last_event() -> None:
    assert judge(pushed(1, 2, 3, 4), Start("e:0"), *got(1, 3), Left()) == {"missing": 1, "unannounced": 1}


def test_who_has_never_learned_a_position_is_owed_nothing() -> None:
    assert judge(pushed(1, 2)) == {}


def test_a_first_event_is_a_start() -> None:
    assert judge(pushed(1, 2, 3), *got(2, 3)) == {}


def test_a_push_that_was_not_answered_is_owed_once_somebody_has_got_it() -> None:
    pushes = [Pushed("x", (TOPIC,), None), *pushed(2)]
    assert judge(pushes, Start("e:0"), *got(2)) == {}
    histories = {("s", TOPIC): [Start("e:0"), *got(2)], ("t", TOPIC): [Start("e:0"), Got("x", "e:1"), *got(2)]}
    assert check(pushes, histories).counts["missing"] == 1


def test_what_is_not_stored_is_owed_to_nobody_and_comes_once() -> None:
    pushes = [*pushed(1, 3), *pushed(2, stored=False, pusher="q")]
    assert judge(pushes, Start("e:0"), *got(1, 3)) == {}
    assert judge(pushes, Start("e:0"), *got(1, 2, 2, 3)) == {"twice": 1}


def test_an_event_again_is_twice() -> None:
    assert judge(pushed(1, 2), Start("e:0"), *got(1, 2, 1)) == {"twice": 1}


def test_a_push_that_comes_again_at_another_position_is_twice_and_wrong() -> None:
    assert judge(pushed(1, 2), Start("e:0"), *got(1), Got("e1", "e:2"), *got(2)) == {"twice": 1, "wrong": 1}


def test_two_pushes_at_one_position_are_twice() -> None:
    pushes = [*pushed(1), Pushed("y", (TOPIC,), "e:1")]
    found = judge(pushes, Start("e:0"), *got(1), Got("y", "e:1"))
    assert found["twice"] == 1


def test_an_event_that_is_not_later_is_out_of_order() -> None:
    assert judge(pushed(1, 2, 3), Start("e:0"), *got(1, 3, 2)) == {"out_of_order": 1, "missing": 1, "unannounced": 1}


def test_answers_to_one_pusher_ascend() -> None:
    pushes = [*pushed(1), *pushed(4), *pushed(3)]
    assert judge(pushes, Start("e:0"), *got(1, 3, 4)) == {"out_of_order": 1}
    pushes[-1] = Pushed("e3", (TOPIC,), "e:3", pusher="q")
    assert judge(pushes, Start("e:0"), *got(1, 3, 4)) == {}


@pytest.mark.parametrize(
    "event", [Got("stranger", "e:2"), Got("elsewhere", "e:2")], ids=["nobody pushed it", "pushed to another topic"]
)
def test_an_event_that_nobody_pushed_there_is_wrong(event: Got) -> None:
    pushes = [*pushed(1), Pushed("elsewhere", ("v1.chaos.2",), "e:2")]
    assert judge(pushes, Start("e:0"), *got(1), event) == {"wrong": 1}


def test_another_position_than_was_answered_is_wrong() -> None:
    assert judge(pushed(1, 2), Start("e:0"), *got(1), Got("e2", "e:3"))["wrong"] == 1


def test_a_recovery_that_came_true_changes_nothing() -> None:
    verdict = check(pushed(1, 2), {("s", TOPIC): [Start("e:0"), *got(1, 2), Announced(True, "e:2")]})
    assert (verdict.clean, verdict.recovered, verdict.announced) == (True, 1, 0)


def test_an_announcement_is_needless_when_nothing_is_missing() -> None:
    assert judge(pushed(1, 2, 3), Start("e:0"), *got(1), Announced(False, "e:2"), *got(3)) == {"needless": 1}
    assert judge(pushed(1), Start("e:0"), *got(1), Announced(False, "e:1")) == {"needless": 1}


def test_another_epoch_without_a_replaced_log_is_needless() -> None:
    pushes = [*pushed(1), *pushed(5, epoch="f")]
    assert judge(pushes, Start("e:0"), *got(1), Announced(False, "f:4"), *got(5, epoch="f")) == {"needless": 1}


def test_an_announcement_after_the_log_was_replaced_is_needed() -> None:
    pushes = [*pushed(1, 2), *pushed(10, 11, epoch="f")]
    replaced = (Replaced(copied_at=1, at=5),)
    entries = [Start("e:0"), *got(1), Announced(False, "f:10", at=6), *got(11, epoch="f")]
    assert judge(pushes, *entries, replaced=replaced) == {}


def test_an_announcement_in_one_epoch_is_needless_after_a_replaced_log() -> None:
    entries = [Start("e:0"), *got(1), Announced(False, "e:2", at=6), *got(3)]
    assert judge(pushed(1, 2, 3), *entries, replaced=(Replaced(0, 5),)) == {"needless": 1}


def test_an_announcement_before_the_log_was_replaced_is_needless() -> None:
    pushes = [*pushed(1), *pushed(10, epoch="f")]
    entries = [Start("e:0"), *got(1), Announced(False, "f:9", at=4), *got(10, epoch="f")]
    assert judge(pushes, *entries, replaced=(Replaced(0, 5),)) == {"needless": 1}


def test_who_was_away_for_longer_than_nodes_remember_may_be_told() -> None:
    entries = [Start("e:0"), *got(1), Announced(False, "e:2", at=1000, last_sign=700), *got(3)]
    assert judge(pushed(1, 2, 3), *entries) == {}


def test_after_an_announcement_everything_later_is_owed_again() -> None:
    entries = [Start("e:0"), *got(1), Announced(False, "e:3", at=1000, last_sign=0)]
    assert judge(pushed(1, 2, 3, 4, 5), *entries, *got(5)) == {"missing": 1, "unannounced": 1}


def test_an_announcement_covers_no_hole_before_the_last_event() -> None:
    entries = [Start("e:0"), *got(1, 3), Announced(False, "e:4", at=1000, last_sign=0)]
    assert judge(pushed(1, 2, 3, 4), *entries) == {"missing": 1, "unannounced": 1}


def test_an_event_that_is_not_later_than_an_announcement_is_out_of_order() -> None:
    entries = [Start("e:0"), *got(1), Announced(False, "e:3", at=1000, last_sign=0), *got(2)]
    assert judge(pushed(1, 2, 3), *entries) == {"out_of_order": 1}


def test_another_epoch_without_a_word_is_unannounced() -> None:
    pushes = [*pushed(1), *pushed(5, 6, epoch="f")]
    entries = [Start("e:0"), *got(1), *got(5, 6, epoch="f")]
    assert judge(pushes, *entries, replaced=(Replaced(2, 3),)) == {"unannounced": 1}


def test_who_stays_in_an_epoch_that_is_over_misses_all_of_the_next() -> None:
    pushes = [*pushed(1), *pushed(5, 6, epoch="f")]
    assert judge(pushes, Start("e:0"), *got(1), replaced=(Replaced(2, 3),)) == {"missing": 2, "unannounced": 1}


def test_pushes_lost_with_a_replaced_log_are_covered_by_an_announcement() -> None:
    pushes = [*pushed(1), Pushed("lost", (TOPIC,), "e:2", 2, 2), Pushed("new", (TOPIC,), "e:2", 6, 6, "q")]
    pushes += [*pushed(10, epoch="f")]
    replaced = (Replaced(copied_at=2, at=5),)
    told = [Announced(False, "f:9", at=7), *got(10, epoch="f")]
    assert judge(pushes, Start("e:0"), *got(1), Got("new", "e:2"), *told, replaced=replaced) == {}
    found = judge(pushes[:3], Start("e:0"), *got(1), Got("new", "e:2"), replaced=replaced)
    assert found == {"missing": 1, "unannounced": 1}


def test_a_push_whose_id_was_lost_with_the_log_may_come_again() -> None:
    lost = Pushed("lost", (TOPIC,), "f:9", 3, 6)
    entries = [Start("e:0"), *got(1), Got("lost", "e:2"), Announced(False, "f:8", at=7), Got("lost", "f:9")]
    assert judge([*pushed(1), lost], *entries, replaced=(Replaced(2, 5),)) == {}
    assert judge([*pushed(1), lost], *entries, replaced=(Replaced(2, 2.5),)) == {"twice": 1}


def test_a_gap_that_is_told_before_any_position_is_known_is_a_start() -> None:
    assert judge(pushed(1, 2), Announced(False, "e:1"), *got(2)) == {}


def test_every_kind_of_finding_is_listed_twenty_times_at_most() -> None:
    verdict = Verdict()
    for n in range(30):
        verdict.found("missing", str(n))
    verdict.found("wrong", "one")
    assert (verdict.counts["missing"], len(verdict.findings), verdict.clean) == (30, 21, False)
