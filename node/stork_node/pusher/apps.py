"""Apps: each has keys for its clients and backends, and a version in which its topics are."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stork_node.http.origins import AllowedOrigin, is_allowed
from stork_node.pusher.webhooks.settings import AppWebhook

_NUMBER_BITS, _SECOND_BITS, _ID_BYTES = 53, 31, 11
_MOST_NUMBER, _MOST_SECOND = 2**_NUMBER_BITS - 1, 2**_SECOND_BITS - 1
DEFAULT_VERSION = "pusher"
DEFAULT_CACHE_S = 1_800.0
DEFAULT_LEAVE_AFTER_S = 3.0


@dataclass(frozen=True)
class App:
    """
    One app.

    Attributes:
        secrets: by key.
        version: of its topics, which no other app has.
        client_events: whether members of private channels may send events to the other members.
        allowed_origins: of pages that may connect.
        cache_s: how long a cache channel tells its last event.
        leave_after_s: how long a member of presence channels whose connection has ended may be away.
        is_enabled: False: its clients and backends are refused.
        is_shared: whether the application may declare feeds of the same version.
        asks_app: whether the application's verifiers are asked about private and presence channels, too.
        counts_subscriptions: whether subscribers are told how many they are.
        webhooks: what its backend is told over HTTP.
    """

    id: str
    secrets: Mapping[str, str] = field(repr=False)
    version: str = DEFAULT_VERSION
    client_events: bool = False
    allowed_origins: tuple[AllowedOrigin, ...] = (AllowedOrigin("*"),)
    is_enabled: bool = True
    cache_s: float = DEFAULT_CACHE_S
    leave_after_s: float = DEFAULT_LEAVE_AFTER_S
    is_shared: bool = False
    asks_app: bool = False
    counts_subscriptions: bool = False
    webhooks: tuple[AppWebhook, ...] = ()

    @property
    def meets_feeds(self) -> bool:
        """Whether a topic of its channels may be one of a feed that the application has declared."""
        return self.is_shared or self.asks_app

    def tells(self, event: str) -> bool:
        """Whether a webhook is told of these events."""
        return any(event in each.events for each in self.webhooks)

    @property
    def allows_all(self) -> bool:
        """Whether pages of every origin may connect, so that nobody needs to look."""
        return any(each.text == "*" for each in self.allowed_origins)

    def allows(self, origin: str, host: str, *, is_secure: bool) -> bool:
        """Whether a page of this origin may connect; ``host`` is that of its request."""
        return is_allowed(origin, host, self.allowed_origins, is_secure=is_secure)


class Apps:
    """All apps of a node."""

    def __init__(self, apps: Iterable[App] = ()) -> None:
        self._by_id = {app.id: app for app in apps}
        self._by_key = {key: app for app in self._by_id.values() for key in app.secrets}

    def __iter__(self) -> Iterator[App]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, id: str) -> App | None:
        return self._by_id.get(id)

    def by_key(self, key: str) -> App | None:
        return self._by_key.get(key)


def new_socket_id() -> tuple[int, str]:
    """
    A socket's number, which pushes exclude, and its id, which signatures contain. Nobody can guess the id: signatures
    for one socket would be made for another one.
    """
    bits = int.from_bytes(secrets.token_bytes(_ID_BYTES))
    number = (bits >> _SECOND_BITS) & _MOST_NUMBER or 1
    return number, f"{number}.{bits & _MOST_SECOND}"
