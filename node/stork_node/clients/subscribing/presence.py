"""Who is online in a topic, as a subscriber follows it: everybody at a position, then each change once and in order."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stork_node.clients.subscribing.effects import SubscriptionChanged, Tell
from stork_node.clients.subscribing.session import Result
from stork_node.clients.subscribing.stream import Event, parse_position
from stork_node.clients.subscribing.subscription import Subscription
from stork_node.protocol.positions import Position
from stork_node.protocol.topics import Topic
from stork_node.protocol.uris import ONLINE, PRESENCE

log = logging.getLogger(__name__)

ANSWER_S = 30.0
"""Without an answer for this time, the node is asked again."""


@dataclass(frozen=True)
class PresentUser:
    """A user who is online; ``info`` is what the application says of it, ``since`` RFC 3339, UTC."""

    authid: str
    info: Any
    since: str


@dataclass(frozen=True)
class PresenceChange:
    """
    What has changed. The first one has everybody in ``online``, and so has one after lost events, unless it was known.

    Attributes:
        users: everybody who is online, by authid; empty above 1,000.
        online: users who came, or have new ``info``.
        offline: who went.
        count: how many are online.
        position: the change's place in the log.
    """

    users: Mapping[str, PresentUser]
    online: tuple[PresentUser, ...]
    offline: tuple[str, ...]
    count: int
    position: str


class Connection(Protocol):
    """What it needs of the subscriber's protocol, for the present connection."""

    def ask(
        self, uri: str, args: list[Any], done: Callable[[Result], None], failed: Callable[[], None], until: float
    ) -> None: ...

    def again(self, attempt: int, now: float, run: Callable[[], None]) -> None: ...

    def tell(self, effect: Tell) -> None: ...


class Presence:
    """
    Who is online in a topic; ``Subscriber.presence`` makes it. It makes nobody online.

    Args:
        now: the time of ``connection``, in seconds.

    Attributes:
        topic: the topic, as it was given.
        subscription: to its changes; ``state`` and ``reason`` are there.
        users: who is online, by authid; empty before the first answer, and above 1,000.
        count: how many are online; None before the first answer.
        position: of what is known; None before the first answer.

    Raises:
        InvalidTopic: no topic.
    """

    def __init__(
        self,
        topic: str,
        connection: Connection,
        now: Callable[[], float],
        on_change: Callable[[PresenceChange], Any],
        on_state: Callable[[SubscriptionChanged], Any] | None = None,
    ) -> None:
        self.topic = Topic.parse(topic).uri
        self._connection, self._now, self._on_change, self._on_state = connection, now, on_change, on_state
        self.subscription = Subscription(
            PRESENCE + topic, "exact", None, self._event, self._recovered, self._changed, any_uri=True
        )
        self.users: dict[str, PresentUser] = {}
        self.count: int | None = None
        self._at: Position | None = None
        self._is_whole = True
        self._held: list[Event] | None = []  # events that came before the answer; None once it is there
        self._asked: object = None
        self._attempt = 0

    @property
    def position(self) -> str | None:
        return None if self._at is None else str(self._at)

    def _changed(self, changed: SubscriptionChanged) -> Any:
        # After the first answer, recovery says whether to ask again.
        if changed.state == "subscribed" and self._held is not None:
            self._load()
        elif changed.state != "subscribed":
            self._asked = None
        if self._on_state:
            return self._on_state(changed)
        if changed.state == "refused":
            log.error("the presence of %s was refused: %s", self.topic, self.subscription.reason)
        return None

    def _recovered(self, _topic: str, ok: bool, _position: str | None) -> None:
        if not ok:
            self._load()

    def _load(self) -> None:
        self._held = [] if self._held is None else self._held
        asked = self._asked = object()

        def done(result: Result) -> None:
            if self._asked is asked and not self._known(result):
                failed()

        def failed() -> None:
            if self._asked is asked:
                self._attempt += 1
                self._connection.again(
                    self._attempt - 1, self._now(), lambda: self._load() if self._asked is asked else None
                )

        self._connection.ask(ONLINE, [self.topic], done, failed, self._now() + ANSWER_S)

    def _known(self, result: Result) -> bool:
        """Take an answer; returns whether it is one."""
        answer = result.args[0] if result.args and isinstance(result.args[0], dict) else {}
        at, users, count = parse_position(answer.get("position")), _users(answer.get("users", [])), answer.get("count")
        if at is None or users is None or type(count) is not int:
            return False
        before, self.users = self.users, {user.authid: user for user in users}
        self._is_whole, self.count, self._at, self._attempt = "users" in answer, count, at, 0
        held, self._held = self._held or [], None
        online = [user for user in users if before.get(user.authid) != user]
        self._tell(online, [authid for authid in before if authid not in self.users])
        for event in held:
            self._event(event)
        return True

    def _event(self, event: Event) -> None:
        at, here = parse_position(event.position), self._at
        if self._held is not None or here is None:
            self._held = [*(self._held or []), event]
            return
        if at is not None and at.epoch == here.epoch and at <= here:
            return
        data = event.data if isinstance(event.data, dict) else {}
        online, offline = _users(data.get("online")), data.get("offline")
        is_next = at is not None and at.epoch == here.epoch and self._is_whole
        if not is_next or online is None or not isinstance(offline, list):
            self._load()
            return
        self._at = at
        self.users |= {user.authid: user for user in online}
        for authid in offline:
            self.users.pop(authid, None)
        self.count = len(self.users)
        self._tell(online, offline)

    def _tell(self, online: list[PresentUser], offline: list[str]) -> None:
        change = PresenceChange(dict(self.users), tuple(online), tuple(offline), self.count or 0, str(self._at))
        self._connection.tell(Tell(self.subscription, self._on_change, change))


def _users(listed: Any) -> list[PresentUser] | None:
    if not isinstance(listed, list):
        return None
    found = []
    for each in listed:
        match each:
            case {"authid": str(authid), "since": str(since)}:
                found.append(PresentUser(authid, each.get("info"), since))
            case _:
                return None
    return found
