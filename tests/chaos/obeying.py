"""
Match commands against what the sessions that they name saw; the rules of docs/delivery.md#whom-a-command-binds.

A session was opened *before* a command if its WELCOME had come when the command was first sent, and *after* it if it
was asked for when the command had been answered complete.

- **disobeyed**: each event that came to a session opened before a command, and has a higher number of the same epoch;
  and each session opened before a command that was answered complete, which is there 10 s later, at the end of the run.
- **ended again**: each session that a command ended, although every command on its user so far was answered complete
  before it was asked for.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.checker import place
from tests.chaos.histories import Verdict
from tests.chaos.records import Line

CLOSING_S = 10.0
BY_COMMAND = ("disconnected", "4001")


@dataclass
class Session:
    user: str
    asked_at: float
    opened_at: float
    positions: list[str] = field(default_factory=list)
    how: str = ""
    ended_at: float = float("inf")


def check_commands(lines: Iterable[Line], verdict: Verdict, until: float) -> None:
    """Judge what commands did, from the lines of ``commanding.py``; ``until``: when the run was over."""
    sessions: dict[int, Session] = {}
    commands: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        match line["kind"]:
            case "session":
                sessions[line["session"]] = Session(line["user"], line["asked_at"], line["at"])
            case "event":
                sessions[line["session"]].positions.append(line["position"])
            case "ended":
                session = sessions[line["session"]]
                session.how, session.ended_at = line["how"], line["at"]
            case "command":
                commands[line["user"]].append(line)
    verdict.commands = sum(map(len, commands.values()))
    for number, session in sessions.items():
        for command in commands[session.user]:
            if session.opened_at < command["tried_at"] and command["position"] is not None:
                _check_obeyed(f"session {number} of {session.user}", session, command, verdict, until)
        _check_end(f"session {number} of {session.user}", session, commands[session.user], verdict)


def _check_obeyed(name: str, session: Session, command: Line, verdict: Verdict, until: float) -> None:
    epoch, number = place(command["position"])
    later = [each for each in map(place, session.positions) if each[0] == epoch and each[1] > number]
    if later:
        verdict.found("disobeyed", f"{name} got {later[0][1]} after {command['id']} at {number}")
    if command["complete"] and command["at"] < until - CLOSING_S and session.ended_at == float("inf"):
        verdict.found("disobeyed", f"{name} is there after {command['id']}, which was answered complete")


def _check_end(name: str, session: Session, commands: list[Line], verdict: Verdict) -> None:
    if session.how not in BY_COMMAND:
        return
    verdict.ended += 1
    open_ones = [
        each
        for each in commands
        if each["tried_at"] <= session.ended_at and not (each["complete"] and each["at"] < session.asked_at)
    ]
    if not open_ones:
        verdict.found("ended_again", f"{name} was ended ({session.how}) by a command that was answered before it")
