"""``history`` of a feed stands with the application's feeds, and the relay needs it, which runs in another process."""

from collections.abc import Iterator
from typing import Any

RELAY = "stork_components.relay.Relay"
PUSHER = "stork_components.pusher.Pusher"


def share_histories(workers: list[dict[str, Any]]) -> None:
    """
    Copy each ``feeds["v1.orders"].history`` of an ``extra`` to ``history["v1.orders"]`` of the relays. A rule that a
    relay has already stays. Values that are no objects are left for ``stork check``.
    """
    rules: dict[str, Any] = {}
    for extra in extras(workers):
        feeds = extra.get("feeds")
        for feed, settings in feeds.items() if isinstance(feeds, dict) else ():
            if isinstance(settings, dict) and "history" in settings:
                rules[feed] = settings["history"]
    add_rules(workers, rules)


def add_rules(workers: list[dict[str, Any]], rules: dict[str, Any]) -> None:
    """Give rules to the relays, beside their own."""
    for extra in extras(workers, RELAY):
        own = extra.get("history", {})
        if rules and isinstance(own, dict):
            extra["history"] = {**rules, **own}


def extras(workers: list[dict[str, Any]], classname: str | None = None) -> Iterator[dict[str, Any]]:
    """The settings of all components, or of those of a class."""
    for worker in workers:
        for component in worker.get("components", []):
            extra = component.get("extra")
            if isinstance(extra, dict) and classname in (None, component.get("classname")):
                yield extra
