"""Reports and pictures of a run that is made up."""

import json
import random
from pathlib import Path

from tests.chaos import report, timeline
from tests.chaos.checker import check
from tests.chaos.histories import Replaced
from tests.chaos.records import histories, pushed, spans
from tests.chaos.run import Happened, Run
from tests.chaos.schedule import schedule

BEGAN = 1_000_000.0


def made_up(faults: int = 20, people: int = 12) -> Run:
    """A run in which all is well, but for one event that is missing."""
    chance, run = random.Random(5), Run(5, BEGAN)
    at = BEGAN
    for fault in schedule(5, faults, longest_s=6):
        run.happened.append(Happened(fault, at, at + fault.seconds))
        at += fault.seconds + fault.pause_s
    run.ended = at + 10
    run.replaced = [Replaced(each.began - 9, each.ended) for each in run.happened if each.fault.kind == "replace"]
    names = [f"{chance.choice(['js', 'plain', 'subscriber'])} {n}" for n in range(people)]
    for who in names:
        run.lines += [
            {"who": who, "kind": "state", "state": "open", "reason": "", "at": BEGAN},
            {"who": who, "kind": "start", "topic": "v1.chaos.1", "position": "e:0", "at": BEGAN},
        ]
    for n in range(1, int((run.ended - BEGAN) * 10)):
        when = BEGAN + n / 10
        run.pushes.append(
            {"pusher": "ann", "id": f"p{n}", "topics": ["v1.chaos.1"], "stored": True, "position": f"e:{n}"}
            | {"tried_at": when, "at": when, "tries": 1 + (n % 50 == 0)}
        )
        for who in names:
            event = {"who": who, "kind": "got", "topic": "v1.chaos.1", "id": f"p{n}", "position": f"e:{n}", "at": when}
            if (who, n) != (names[0], 77):
                run.lines.append(event)
    for each in run.happened:
        if each.fault.kind in ("reset", "replace"):
            for who in names[::2]:
                reason = "break" if each.fault.kind == "replace" else "lost"
                run.lines += [
                    {"who": who, "kind": "state", "state": "waiting", "reason": reason, "at": each.began},
                    {
                        "who": who,
                        "kind": "state",
                        "state": "open",
                        "reason": "",
                        "at": each.ended + chance.random() * 3,
                    },
                ]
    run.settled = True
    run.verdict = check(pushed(run.pushes), histories(run.lines), run.replaced)
    return run


def test_a_report_counts_every_promise_and_says_what_was_broken(tmp_path: Path) -> None:
    run = made_up()
    report.write(run, tmp_path)
    text = (tmp_path / "report.txt").read_text().splitlines()
    assert text[0].startswith("20 faults of seed 5 in ")
    assert "  missing            1" in text
    assert "  needless           0" in text
    assert text[-3] == "PROMISES WERE BROKEN:"
    assert text[-2].endswith("did not get p77 at 77")
    values = json.loads((tmp_path / "report.json").read_text())
    assert (values["seed"], values["verdict"]["missing"], len(values["faults"])) == (5, 1, 20)


def test_a_clean_run_says_so() -> None:
    run = made_up()
    run.verdict = check([], {})
    assert report.as_text(run).endswith("Nothing was lost, doubled, or told without need.\n")
    run.settled = False
    assert report.as_text(run).endswith("Not everybody had the last push to each topic in time.\n")


def test_a_connection_that_is_gone_is_a_span_until_the_next_is_open() -> None:
    lines = [
        {"who": "a 1", "kind": "state", "state": "connecting", "reason": "", "at": 1},
        {"who": "a 1", "kind": "state", "state": "open", "reason": "", "at": 2},
        {"who": "a 1", "kind": "state", "state": "waiting", "reason": "break", "at": 5},
        {"who": "a 1", "kind": "state", "state": "waiting", "reason": "lost", "at": 6},
        {"who": "a 1", "kind": "state", "state": "open", "reason": "", "at": 8},
        {"who": "a 1", "kind": "state", "state": "waiting", "reason": "lost", "at": 9},
    ]
    assert spans(lines, until=11) == {"a 1": [(5, 8, "break"), (9, 11, "lost")]}


def test_a_timeline_is_a_picture_and_wider_for_a_longer_run(tmp_path: Path) -> None:
    sizes = []
    for faults in (10, 60):
        timeline.draw(made_up(faults), tmp_path / "timeline.png")
        png = (tmp_path / "timeline.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        sizes.append(int.from_bytes(png[16:20]))
    assert sizes[0] < sizes[1]


def test_of_many_subscribers_those_are_shown_that_were_there_for_longest() -> None:
    run = made_up(people=40)
    run.lines += [{"who": f"js {n}", "kind": "left", "topic": "v1.chaos.1", "at": BEGAN} for n in range(100, 200)]
    names = {line["who"] for line in run.lines[:80]}
    shown = timeline.longest_there(run)
    assert len(shown) == timeline.PEOPLE_SHOWN
    assert set(shown) <= names
    assert {who.split()[0] for who in shown} == {"js", "plain", "subscriber"}
