"""One handler's subscription to one topic or pattern, across all connections of its subscriber."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from stork_node.clients.subscribing.states import SubscriptionState
from stork_node.clients.subscribing.stream import PatternCursor, TopicCursor
from stork_node.protocol.topics import Match, Topic
from stork_node.protocol.uris import check_uri


@dataclass(eq=False)
class Subscription:
    """
    A subscription; ``Subscriber.subscribe`` makes it.

    Attributes:
        topic: the topic or pattern; ``match`` is ``exact``, ``prefix`` or ``wildcard``.
        any_uri: whether the topic may be outside of feeds, as a backend may subscribe to all.
        state: see ``SubscriptionState``.
        reason: the reason in one word: ``denied``, ``revoked``, ``unavailable``, ``lost`` and so on; otherwise empty.

    Raises:
        InvalidTopic: no router takes this topic; it would close the whole connection.
        InvalidPosition: ``since`` is no position.
    """

    topic: str
    match: str
    since: str | None
    handler: Callable[..., Any]
    on_recovered: Callable[..., Any] | None = None
    on_state: Callable[..., Any] | None = None
    any_uri: bool = False
    state: SubscriptionState = field(default=SubscriptionState.WAITING, init=False)
    reason: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.any_uri:
            check_uri(self.topic, self.match)
        else:
            Topic.parse_pattern(self.topic, cast(Match, self.match))
        is_exact = self.match == "exact"
        self.stream = TopicCursor(self.topic, self.since) if is_exact else PatternCursor(self.topic)
        self.wire_id: int | None = None
        self.attempt = 0
        self.timer: tuple[float, Callable[[float], None]] | None = None

    @property
    def position(self) -> str | None:
        """The topic's position, for ``since``. None for patterns, and before the first position is known."""
        return self.stream.position if self.match == "exact" else None

    @property
    def wanted(self) -> bool:
        """Whether it is neither refused for good nor closed."""
        return self.state not in (SubscriptionState.REFUSED, SubscriptionState.CLOSED)
