"""Values of settings that all webhooks have."""

from collections.abc import Callable, Sequence
from typing import Any

from stork_node.config.settings import http_url, names, seconds

_LONGEST_S = 60.0


def optional_url(value: Any) -> str:
    """An address, or an empty text."""
    return "" if value == "" else http_url(value)


def time_out(value: Any) -> float:
    """The whole time for one request, in seconds."""
    time_s = seconds(value)
    if not 0 < time_s <= _LONGEST_S:
        raise ValueError(f"{value!r} is not a time to wait for an answer (want 0.1 to {_LONGEST_S:g})")
    return time_s


def some_of(events: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    """Names of events, out of these."""

    def parse(value: Any) -> tuple[str, ...]:
        listed = names(value)
        for each in listed:
            if each not in events:
                raise ValueError(f"{each!r} is not an event of webhooks (want some of {', '.join(events)})")
        return listed

    return parse
