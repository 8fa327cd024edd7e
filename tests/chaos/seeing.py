"""
Whether each node knows who is online: after the last fault its table must become the truth.

That takes 10 s + ``leave_after_s`` + 3 s. A connection that was cut in silence may take 60 s more: neither its client
nor its node knows before.

- **wrong_table**: each user who is there, and whom a node does not show, or the other way round.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from urllib.request import Request, urlopen

from tests.chaos.appearing import TOPIC
from tests.chaos.commanding import SILENT_S
from tests.chaos.histories import Verdict
from tests.chaos.records import Line
from tests.gateway import API_KEY

LEAVE_AFTER_S = 2.0
RIGHT_AFTER_S = 10.0 + LEAVE_AFTER_S + 3.0
_SLACK_S = 25.0  # a machine with much to do

Tables = Mapping[str, set[str]]


def there(lines: Iterable[Line]) -> set[str]:
    """The users with a subscription, by the lines of ``appearing.py``."""
    tabs: set[tuple[str, int]] = set()
    for line in lines:
        (tabs.add if line["kind"] == "on" else tabs.discard)((line["user"], line["tab"]))
    return {user for user, _ in tabs}


def shown(where: str) -> set[str]:
    """Whom a node shows; ``where``: host and port of its operator's port."""
    url = f"http://{where}/api/topics/{TOPIC}/online"
    with urlopen(Request(url, headers={"X-API-Key": API_KEY}), timeout=10) as answer:
        return {user["authid"] for user in json.load(answer)["users"]}


def look(operators: Mapping[str, str | int]) -> Tables:
    """The tables of all nodes; empty for a node that does not know yet."""
    tables = {}
    for name, where in operators.items():
        try:
            tables[name] = shown(where if isinstance(where, str) else f"127.0.0.1:{where}")
        except OSError:
            tables[name] = set()
    return tables


def check_tables(truth: Callable[[], set[str]], tables: Callable[[], Tables], verdict: Verdict) -> None:
    """Wait until all tables are the truth, and note what is wrong at the end of the time for it."""
    give_up_at = time.monotonic() + RIGHT_AFTER_S + SILENT_S + _SLACK_S
    while (wrong := list(differences(truth(), tables()))) and time.monotonic() < give_up_at:
        time.sleep(1.0)
    for sentence in wrong:
        verdict.found("wrong_table", sentence)


def differences(truth: set[str], tables: Tables) -> Iterable[str]:
    for node, table in tables.items():
        yield from (f"{user} is there, and {node} does not show it" for user in sorted(truth - table))
        yield from (f"{user} is gone, and {node} shows it" for user in sorted(table - truth))
