"""``webhooks`` of an app: the addresses of its backend."""

from dataclasses import dataclass

from stork_node.config.settings import optional_url, section, setting, several, time_out
from stork_node.webhooks.event_names import some_of

WEBHOOK_EVENTS = (
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
)


@dataclass(frozen=True)
class AppWebhook:
    """
    Attributes:
        url: where to POST; empty: this webhook is off.
        events: names in ``WEBHOOK_EVENTS``.
        timeout_s: the whole time for one request, in seconds.
    """

    url: str = setting(optional_url, "")
    events: tuple[str, ...] = setting(some_of(WEBHOOK_EVENTS), WEBHOOK_EVENTS)
    timeout_s: float = setting(time_out, 10.0)


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
