"""The four old components of the application, and the lines of config.json that replace them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stork_node.errors import Problem

APPLICATION = "stork_components.application.Application"
OLD = frozenset(f"stork_components.{name}" for name in ("auth.Auth", "topic_auth.TopicAuth", "rpc.Rpc", "meta.Meta"))
SENTENCE = (
    "config.json names old components (auth, topic_auth, rpc, meta), which work in this release for the last time. "
    f"{APPLICATION} replaces them; stork check prints the new lines"
)


def is_application(component: Mapping[str, Any]) -> bool:
    """Whether a component of config.json runs the application, under any of its names."""
    return component.get("classname") in OLD | {APPLICATION}


def push_setting(workers: Sequence[Mapping[str, Any]]) -> str | None:
    """Where the application pushes, as config.json says it; None if it does not."""
    extras = (
        each.get("extra") or {} for worker in workers for each in worker.get("components", []) if is_application(each)
    )
    return next((str(extra["push"]) for extra in extras if "push" in extra), None)


def problems(workers: list[dict[str, Any]]) -> Iterator[Problem]:
    """Workers with both the new component and an old one: both would register the same procedures."""
    for w, worker in enumerate(workers):
        names = {component.get("classname") for component in worker.get("components", [])}
        if APPLICATION in names and (both := sorted(names & OLD)):
            yield Problem(f"workers[{w}].components", f"{both[0]} is a part of {APPLICATION} (want only the latter)")


def explain(workers: list[dict[str, Any]]) -> Iterator[str]:
    """For each worker with old components: their places, and the lines that replace them."""
    for w, worker in enumerate(workers):
        places = {c: each for c, each in enumerate(worker.get("components", [])) if each.get("classname") in OLD}
        if places:
            first = next(iter(places.values()))
            lines = json.dumps({**first, "classname": APPLICATION}, indent=2, ensure_ascii=False)
            listed = ", ".join(f"workers[{w}].components[{c}]" for c in places)
            yield f"{SENTENCE}. In place of {listed}:\n{lines}"
