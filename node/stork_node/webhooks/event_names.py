"""The setting ``events`` of a webhook."""

from collections.abc import Callable, Sequence
from typing import Any

from stork_node.config.settings import names


def some_of(events: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    """Names of events, out of these."""

    def parse(value: Any) -> tuple[str, ...]:
        listed = names(value)
        for each in listed:
            if each not in events:
                raise ValueError(f"{each!r} is not an event of webhooks (want some of {', '.join(events)})")
        return listed

    return parse
