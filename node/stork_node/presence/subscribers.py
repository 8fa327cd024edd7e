"""Which sessions of this node count for presence: those subscribed to exactly one topic of a feed that has it."""

from collections.abc import Callable, Iterable, Mapping

from stork_node.presence.local import NO_INFO, LocalPresence
from stork_node.process_state import singleton

Subscribed = tuple[int, str, str]
"""A session's id, its user, and the topic."""


def _nobody() -> Iterable[Subscribed]:
    return ()


class PresenceSubscribers:
    """
    Attributes:
        feeds: for each feed with presence (``v1.room``), how long a user may be away, in ms.
        subscribed_now: lists the exact subscriptions of all visitors; its owner sets it.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, int] = {}
        self.subscribed_now: Callable[[], Iterable[Subscribed]] = _nobody
        self._local = singleton(LocalPresence)
        self._infos: dict[int, bytes] = {}

    def set_feeds(self, feeds: Mapping[str, int]) -> None:
        """Take the rules of an application that starts. A feed that has presence now counts who is there already."""
        if feeds == self.feeds:
            return
        before, self.feeds = self.feeds, dict(feeds)
        for session_id, authid, topic in list(self.subscribed_now()) if before.keys() != self.feeds.keys() else ():
            feed = topic.rpartition(".")[0]
            if feed in self.feeds and feed not in before:
                self.subscribed(session_id, authid, topic)
            elif feed in before and feed not in self.feeds:
                self._local.leave(topic, authid)

    def has_presence(self, topic: str) -> bool:
        """Whether a topic belongs to a feed with presence."""
        return topic.rpartition(".")[0] in self.feeds

    def joined(self, session_id: int, info: bytes) -> None:
        """A session has joined; ``info``: JSON of what the application says of its user."""
        if info != NO_INFO:
            self._infos[session_id] = info

    def left(self, session_id: int) -> None:
        """A session is gone, after its subscriptions; may be called more than once."""
        self._infos.pop(session_id, None)

    def subscribed(self, session_id: int, authid: str, topic: str) -> None:
        """A visitor's session has subscribed to a topic."""
        wait_ms = self.feeds.get(topic.rpartition(".")[0])
        if wait_ms is not None:
            self._local.join(topic, authid, wait_ms, self._infos.get(session_id, NO_INFO))

    def unsubscribed(self, authid: str, topic: str, has_left: bool = False) -> None:
        """A session is subscribed no more; ``has_left``: its client has said goodbye, or a command has ended it."""
        if self.has_presence(topic):
            self._local.leave(topic, authid, has_left)
