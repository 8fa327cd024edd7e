"""``stork reload`` in the controller process: a new application process takes over, then the old one stops."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stork_node.config import configuration
from stork_node.config.old_components import is_application
from stork_node.errors import StorkError

# The components whose keys are replaced, by what they are called.
_KEY_HOLDERS = {configuration.HTTP_API: "of the HTTP API", configuration.PUSHER: "of Pusher's apps"}
# The time for an application that opens a pool, or waits for its database.
_START_TIMEOUT_S = 60.0
_GONE_TIMEOUT_S = 10.0


class ReloadRefused(StorkError):
    """The reload failed, and the running application goes on; the text says why."""


class Processes:
    """
    The application processes of a node: the current one for each container worker of config.json.

    A new process has an id of its own, ``app-2`` after ``app``. Ends of replaced processes are ignored.
    """

    def __init__(self) -> None:
        self._current: dict[str, str] = {}
        self._number: dict[str, int] = {}

    def current(self, worker: dict[str, Any]) -> str:
        """The id of the current process of this worker."""
        return self._current.get(worker["id"], str(worker["id"]))

    def next_id(self, worker: dict[str, Any]) -> str:
        """A new id for a process."""
        number = self._number[worker["id"]] = self._number.get(worker["id"], 1) + 1
        return f"{worker['id']}-{number}"

    def take_over(self, worker: dict[str, Any], process_id: str) -> None:
        self._current[worker["id"]] = process_id


def has_application(worker: dict[str, Any]) -> bool:
    """Whether a worker of config.json is a container with an application in it."""
    components = worker.get("components", []) if worker["type"] == "container" else []
    return any(is_application(component) for component in components)


async def reload_keys(node: Any, folder: Path, say: Callable[[str], None]) -> bool:
    """
    Give the keys of the changed config.json to the components that hold some; returns whether there is one.

    Raises:
        ConfigError: config.json cannot be read.
        ReloadRefused: the keys of a component cannot be used; its former keys stay.
    """
    workers = configuration.load(folder, os.environ).crossbar["workers"]
    found = [
        (worker["id"], f"workers[{w}].components[{c}]", component["classname"], component["extra"])
        for w, worker in enumerate(workers)
        for c, component in enumerate(worker.get("components", []))
        if worker["type"] == "router" and component.get("classname") in _KEY_HOLDERS
    ]
    for router, path, classname, extra in found:
        problem = await node.reload_keys(router, classname, extra)
        if problem:
            raise ReloadRefused("\n".join(f"{path}.{line}" for line in problem.splitlines()))
    if found:
        holders = " and ".join(dict.fromkeys(_KEY_HOLDERS[classname] for _, _, classname, _ in found))
        say(f"the keys {holders} are those of config.json now")
    return bool(found)


async def replace(node: Any, worker: dict[str, Any], say: Callable[[str], None]) -> None:
    """
    Start a new process for ``worker``, and stop the old one when it has taken over.

    Raises:
        ReloadRefused: the new one did not start; the old one was not touched.
    """
    old, new = node.processes.current(worker), node.processes.next_id(worker)
    say(f"starting the application process {new}")
    starting = node.start_process(worker, new, succeeds=old)
    starting.addTimeout(_START_TIMEOUT_S, node._reactor)
    try:
        await starting
    except Exception as error:
        await node.end_process(new, kill=True, within_s=_GONE_TIMEOUT_S)
        raise ReloadRefused(node.last_words(new) or str(error) or f"{new} did not start in time") from None
    node.processes.take_over(worker, new)
    say(f"{new} has taken over; {old} finishes what it has begun")
    await node.retire(old)
    await node.end_process(old, kill=False, within_s=_GONE_TIMEOUT_S)
    await node.end_process(old, kill=True, within_s=_GONE_TIMEOUT_S)
