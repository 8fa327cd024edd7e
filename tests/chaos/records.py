"""The lines of pushers and subscribers (``pushing.py``, ``following.py``), for the checker and the timeline."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.chaos.histories import Announced, Entry, Got, Left, Pushed, Start

Line = dict[str, Any]


def read_lines(path: Path, having: str = "") -> Iterator[Line]:
    """The lines that are whole (a process that was ended may have left half of one), and have this text in them."""
    with path.open() as lines:
        for line in lines:
            if line.endswith("\n") and having in line:
                yield json.loads(line)


def pushed(lines: Iterable[Line]) -> list[Pushed]:
    return [
        Pushed(
            line["id"],
            tuple(line["topics"]),
            line["position"],
            line["tried_at"],
            line["at"],
            line["pusher"],
            line["stored"],
        )
        for line in lines
    ]


def histories(lines: Iterable[Line]) -> dict[tuple[str, str], list[Entry]]:
    """The entries of each subscriber and topic; the lines of one subscriber come in order."""
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    last_sign: dict[str, float] = {}
    open_: set[str] = set()
    for line in lines:
        who, at = line["who"], line["at"]
        if line["kind"] != "state":
            found[who, line["topic"]].append(_entry(line, last_sign.get(who)))
        elif line["state"] == "open":
            open_.add(who)
        elif who in open_:  # the end of a connection, which is told of by the next
            open_.remove(who)
            last_sign[who] = at
    return dict(found)


def _entry(line: Line, last_sign: float | None) -> Entry:
    at = line["at"]
    match line["kind"]:
        case "start":
            return Start(line["position"], at)
        case "got":
            return Got(line["id"], line["position"], at)
        case "recovered":
            return Announced(line["ok"], line["position"], at, last_sign)
    return Left(at)


def spans(lines: Iterable[Line], until: float) -> dict[str, list[tuple[float, float, str]]]:
    """When each subscriber had no connection: from, to (seconds), and why it ended; its first is not one."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    gone: dict[str, tuple[float, str]] = {}
    for line in lines:
        if line["kind"] != "state":
            continue
        who, at = line["who"], line["at"]
        away = found.setdefault(who, [])
        if line["state"] == "waiting" and who not in gone:
            gone[who] = (at, line["reason"])
        elif line["state"] in ("open", "closed") and who in gone:
            begun, reason = gone.pop(who)
            away.append((begun, at, reason))
    for who, (begun, reason) in gone.items():
        found[who].append((begun, until, reason))
    return found
