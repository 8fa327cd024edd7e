"""A webhook in Pusher's form: ``{"time_ms", "events"}``, signed with the app's secret."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import new as new_hmac
from typing import Any

from stork_node import clock
from stork_node.pusher.app_settings import apps
from stork_node.pusher.webhooks.reading import AppEventReader
from stork_node.pusher.webhooks.topics import hook_topic
from stork_node.webhooks.pushes import push_filter

MOST_WEBHOOKS = 8
"""Of all apps; each has a table of who is online."""


@dataclass(frozen=True)
class AppForm:
    """``app``: the id of the app, ``version`` that of its topics. The first key of an app signs."""

    app: str
    version: str
    key: str
    secret: str = field(repr=False)
    url: str
    events: tuple[str, ...]
    timeout_s: float

    @property
    def known_as(self) -> str:
        return f"of the app {self.app}, {self.url}"

    def reader(self) -> AppEventReader:
        return AppEventReader(self.version, self.events)

    def push_filter(self) -> Callable[[bytes], bool]:
        return push_filter([hook_topic(self.version).rpartition(".")[0]])

    def body(self, events: Sequence[bytes]) -> bytes:
        return b'{"time_ms":%d,"events":[%b]}' % (round(clock.wall() * 1000), b",".join(events))

    def headers(self, body: bytes) -> dict[str, str]:
        return {
            "X-Pusher-Key": self.key,
            "X-Pusher-Signature": new_hmac(self.secret.encode(), body, sha256).hexdigest(),
        }


def app_forms(value: Any) -> tuple[AppForm, ...]:
    """
    The webhooks of the setting ``apps``.

    Raises:
        ConfigError, ValueError: what is wrong with it.
    """
    found = []
    for app in apps(value):
        key, secret = next(iter(app.secrets.items()))
        found += [
            AppForm(app.id, app.version, key, secret, each.url, each.events, each.timeout_s)
            for each in app.webhooks
            if app.is_enabled
        ]
    if len(found) > MOST_WEBHOOKS:
        raise ValueError(f"have {len(found)} webhooks (want at most {MOST_WEBHOOKS})")
    return tuple(found)
