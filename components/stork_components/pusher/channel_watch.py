"""What the backends and clients of apps want to know of channels: who has subscribers, and how many."""

from collections.abc import Callable

from stork_components.presence import Presence
from stork_node.pusher.apps import App, Apps
from stork_node.pusher.channel_table import ChannelTable, Subscribers
from stork_node.pusher.webhooks.topics import occupied_topic

_OCCUPANCY = ("channel_occupied", "channel_vacated")


class ChannelWatch:
    """
    For webhooks, a channel with subscribers on this node is a user of the app's own topic in the table of presence: so
    the log has it, and the end of a node ends it.

    Args:
        find_presence: returns the table of presence; None before the node knows who is online.
        note_count: is called with a topic whose subscribers have to be counted.
    """

    def __init__(
        self, table: ChannelTable, find_presence: Callable[[], Presence | None], note_count: Callable[[str], None]
    ) -> None:
        self._table, self._find_presence, self._note_count = table, find_presence, note_count
        self._apps: dict[str, App] = {}
        self._occupied: set[tuple[str, str]] = set()
        self._is_complete = False

    def take(self, apps: Apps) -> None:
        """Take the apps that are there now."""
        watched = [app for app in apps if app.counts_subscriptions or app.webhooks]
        self._apps = {app.version: app for app in watched}
        self._table.watcher = self._changed if watched else None
        self._is_complete = False
        self.catch_up()

    def catch_up(self) -> None:
        """Take the channels that were there before this node knew who is online, or before an app had a webhook."""
        if not self._is_complete and (presence := self._find_presence()) is not None:
            self._is_complete = True
            here = {
                (app.version, each.channel.name)
                for app in self._apps.values()
                if _tells_occupancy(app)
                for each in self._table.channels(app.version)
            }
            for version, channel in self._occupied - here:
                self._leave(presence, version, channel)
            for version, channel in here - self._occupied:
                self._join(presence, version, channel)

    def _changed(self, subscribers: Subscribers, topic: str) -> None:
        app, channel = self._apps.get(subscribers.version), subscribers.channel
        if app is None or channel.user is not None:
            return
        if not channel.is_presence and (app.counts_subscriptions or app.tells("subscription_count")):
            self._note_count(topic)
        presence = self._find_presence() if self._is_complete and _tells_occupancy(app) else None
        if presence is not None:
            is_known = (app.version, channel.name) in self._occupied
            if subscribers.observers and not is_known:
                self._join(presence, app.version, channel.name)
            elif is_known and not subscribers.observers:
                self._leave(presence, app.version, channel.name)

    def _join(self, presence: Presence, version: str, channel: str) -> None:
        self._occupied.add((version, channel))
        presence.join(occupied_topic(version), channel, int(self._apps[version].leave_after_s * 1000))

    def _leave(self, presence: Presence, version: str, channel: str) -> None:
        self._occupied.discard((version, channel))
        presence.leave(occupied_topic(version), channel)


def _tells_occupancy(app: App) -> bool:
    return any(map(app.tells, _OCCUPANCY))
