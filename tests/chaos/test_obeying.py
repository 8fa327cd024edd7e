"""The rules for commands, on made-up runs: one that is right, and each way to be wrong."""

from typing import Any

import pytest

from tests.chaos.histories import Verdict
from tests.chaos.obeying import check_commands

Line = dict[str, Any]


def session(number: int, asked_at: float, at: float) -> Line:
    return {"kind": "session", "user": "u", "session": number, "asked_at": asked_at, "at": at}


def event(number: int, position: str) -> Line:
    return {"kind": "event", "session": number, "position": position, "at": 0.0}


def ended(number: int, how: str, at: float) -> Line:
    return {"kind": "ended", "session": number, "how": how, "at": at}


def command(position: str | None, tried_at: float, at: float, *, complete: bool = True) -> Line:
    found = {"kind": "command", "id": "c", "command": "disconnect", "user": "u", "position": position}
    return found | {"complete": complete, "tried_at": tried_at, "at": at}


def judge(*lines: Line) -> dict[str, int]:
    verdict = Verdict()
    check_commands(lines, verdict, 100.0)
    return {kind: count for kind, count in verdict.counts.items() if count}


@pytest.mark.parametrize(
    "lines",
    [
        [session(1, 0, 1), event(1, "e:4"), command("e:5", 2, 4), ended(1, "disconnected", 3)],
        [session(1, 0, 1), event(1, "f:9"), command("e:5", 2, 4), ended(1, "lost", 3)],
        # It came back after the answer, and stays; or between number and answer, and is ended or not.
        [session(1, 0, 1), command("e:5", 2, 4), ended(1, "4001", 3), session(2, 5, 6), event(2, "e:9")],
        [command("e:5", 2, 9), session(2, 5, 6), event(2, "e:9"), ended(2, "4001", 7)],
        [command("e:5", 2, 9), session(2, 5, 6), event(2, "e:9")],
        # It was opened while the command was under way: nobody knows which came first.
        [session(1, 0, 3), event(1, "e:9"), command("e:5", 2, 4)],
        # A pending node obeys later; a command without an answer may have been obeyed.
        [command("e:5", 2, 4, complete=False), session(2, 5, 6), ended(2, "disconnected", 8)],
        [session(1, 0, 1), event(1, "e:9"), command(None, 2, 4, complete=False)],
        [session(1, 0, 1), command("e:5", 2, 4, complete=False)],
        # The run is over before its connection is closed.
        [session(1, 0, 1), command("e:5", 2, 95)],
    ],
)
def test_what_is_right_is_not_found(lines):
    assert judge(*lines) == {}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([session(1, 0, 1), event(1, "e:6"), command("e:5", 2, 4), ended(1, "disconnected", 3)], {"disobeyed": 1}),
        ([session(1, 0, 1), command("e:5", 2, 4)], {"disobeyed": 1}),
        ([command("e:5", 2, 4), session(2, 5, 6), ended(2, "disconnected", 8)], {"ended_again": 1}),
        ([session(2, 5, 6), ended(2, "4001", 8), command("e:5", 9, 10)], {"ended_again": 1}),
    ],
)
def test_what_is_wrong_is_found(lines, found):
    assert judge(*lines) == found
