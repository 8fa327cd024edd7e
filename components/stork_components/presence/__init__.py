"""
Presence in the router process: who is online, for clients, for backends, and for other protocols.

``registry.find(Relay).presence`` has it. Other protocols use ``join``, ``leave``, ``users`` and ``watch``.
"""

from collections.abc import Callable, Iterator, Sequence

from stork_components.broadcaster import Broadcaster
from stork_crossbar.internals import broadcasting
from stork_node.metrics.node_figures import PresenceFigures
from stork_node.presence.events import encode_event
from stork_node.presence.here import NodePresence
from stork_node.presence.local import LocalPresence
from stork_node.presence.subscribers import PresenceSubscribers, Subscribed
from stork_node.presence.table import Change
from stork_node.process_state import singleton
from stork_node.protocol import uris
from stork_node.protocol.bus import PushFrame
from stork_node.protocol.positions import MAX_SEQUENCE, Position
from stork_node.protocol.presence.snapshots import OnlineUser
from stork_node.relay.stream import NodeStream

Watcher = Callable[[str, Sequence[str], Sequence[str]], None]
"""Is called with a topic, who has come online there (or has other information now), and who has gone offline."""


class Presence:
    """
    Args:
        stream: remembers the events.
        broadcaster: writes them.
    """

    def __init__(self, stream: NodeStream, broadcaster: Broadcaster) -> None:
        self._stream, self._broadcaster = stream, broadcaster
        self._watchers: list[Watcher] = []
        self._changes = 0
        self._here: NodePresence | None = None
        singleton(PresenceSubscribers).subscribed_now = self._subscribed_now

    def follow(self, here: NodePresence) -> None:
        """Take the table of this node."""
        self._here = here
        self._stream.presence_floor = self._floor

    @property
    def here(self) -> NodePresence:
        assert self._here is not None  # noqa: S101  # the relay calls follow at once
        return self._here

    @property
    def _local(self) -> LocalPresence:
        return self.here.local

    def join(self, topic: str, user: str, wait_ms: int, info: bytes = b"null") -> bool:
        """
        One more connection of a user of this node is in a topic.

        Args:
            topic: ``version.feed.id``; need not belong to a feed with presence.
            user: not empty, at most 255 characters.
            wait_ms: how long a user of this topic may be away before it is offline.
            info: JSON of what is said of the user: one line, at most 4 KiB.

        Returns:
            False if a text is too long: then there is no ``leave`` for it.
        """
        return self._local.join(topic, user, wait_ms, info)

    def leave(self, topic: str, user: str, has_left: bool = False) -> None:
        """One connection of ``join`` is there no more; ``has_left``: nobody waits for the user to come back."""
        self._local.leave(topic, user, has_left)

    def users(self, topic: str) -> dict[str, OnlineUser]:
        """Who is online in a topic on all nodes, in the order in which they came; as this node knows it now."""
        return self.here.table.users(topic)

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher`` after each change, in the order of the log; the table has the change already."""
        self._watchers.append(watcher)

    def changed(self, at: Position, at_ms: int, changes: Sequence[Change]) -> None:
        """Tell the changes of one entry to clients and watchers."""
        self._changes += sum(len(change.online) + len(change.offline) for change in changes)
        pushes = []
        for change in changes:
            event = encode_event(change, self.users(change.topic), at_ms)
            push = PushFrame(at, "", (uris.PRESENCE + change.topic,), (), True, event)
            self._stream.presence_events.keep(push)
            pushes.append(push)
        self._broadcaster.deliver(pushes)
        for watcher in self._watchers:
            for change in changes:
                watcher(change.topic, change.online, change.offline)

    def figures(self) -> PresenceFigures:
        """The current state, for metrics; Pusher's channels are under ``other``."""
        here = self.here
        feeds = singleton(PresenceSubscribers).feeds
        return PresenceFigures(here.table.by_feed(feeds), self._changes, here.followed.entries)

    def _floor(self) -> int:
        begun = self.here.followed.begun
        is_followed = begun is not None and begun.epoch == getattr(self._stream.position, "epoch", "")
        return begun.sequence if begun is not None and is_followed else MAX_SEQUENCE

    def _subscribed_now(self) -> Iterator[Subscribed]:
        if self._broadcaster.is_blind:
            return  # only who subscribes from now on is known
        for session in self._broadcaster.sessions():
            for subscription in self._broadcaster.subscriptions_of(session):
                if subscription.match == "exact":
                    yield broadcasting.session_id(session) or 0, broadcasting.authid(session), subscription.uri
