"""``webhooks`` of an app: the addresses of its backend."""

from dataclasses import dataclass
from typing import Any

from stork_node.config.settings import http_url, names, seconds, section, setting, several

WEBHOOK_EVENTS = (
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
)
_LONGEST_S = 60.0


def _optional_url(value: Any) -> str:
    return "" if value == "" else http_url(value)


def _events(value: Any) -> tuple[str, ...]:
    listed = names(value)
    for each in listed:
        if each not in WEBHOOK_EVENTS:
            raise ValueError(f"{each!r} is not an event of webhooks (want some of {', '.join(WEBHOOK_EVENTS)})")
    return listed


def _time_out(value: Any) -> float:
    time_s = seconds(value)
    if not 0 < time_s <= _LONGEST_S:
        raise ValueError(f"{value!r} is not a time to wait for an answer (want 0.1 to {_LONGEST_S:g})")
    return time_s


@dataclass(frozen=True)
class AppWebhook:
    """
    Attributes:
        url: where to POST; empty: this webhook is off.
        events: names in ``WEBHOOK_EVENTS``.
        timeout_s: the whole time for one request, in seconds.
    """

    url: str = setting(_optional_url, "")
    events: tuple[str, ...] = setting(_events, WEBHOOK_EVENTS)
    timeout_s: float = setting(_time_out, 10.0)


_parse = several(section(AppWebhook))


def app_webhooks(value: object) -> tuple[AppWebhook, ...]:
    """
    A setting: the webhooks of one app that have an address.

    Raises:
        ConfigError, ValueError: what is wrong with it.
    """
    used = tuple(each for each in _parse(value) if each.url)
    if len({each.url for each in used}) < len(used):
        raise ValueError("an address is there twice")
    return used
