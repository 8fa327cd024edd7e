"""The rule for tables of presence, on made-up lines: one that is right, and each way to be wrong."""

from tests.chaos import seeing
from tests.chaos.histories import Verdict


def line(kind: str, user: str, tab: int) -> dict[str, object]:
    return {"kind": kind, "user": user, "tab": tab, "at": 0.0}


def test_a_user_is_there_with_one_tab_at_least() -> None:
    lines = [
        line("on", "ann", 0),
        line("on", "ann", 1),
        line("off", "ann", 0),
        line("on", "bob", 0),
        line("off", "bob", 0),
    ]
    assert seeing.there(lines) == {"ann"}


def test_tables_that_become_the_truth_are_right() -> None:
    verdict, looks = Verdict(), iter([{"node-1": {"bob"}}, {"node-1": {"ann"}}])
    seeing.check_tables(lambda: {"ann"}, lambda: next(looks), verdict)
    assert verdict.clean


def test_each_difference_is_found(monkeypatch) -> None:
    monkeypatch.setattr(seeing, "RIGHT_AFTER_S", -100.0)
    verdict = Verdict()
    seeing.check_tables(lambda: {"ann"}, lambda: {"node-1": {"ann"}, "node-2": {"bob"}}, verdict)
    assert verdict.counts["wrong_table"] == 2
    assert verdict.findings == [
        "wrong_table: ann is there, and node-2 does not show it",
        "wrong_table: bob is gone, and node-2 shows it",
    ]
