"""
Pusher's protocol, in the router process: ``/app`` for its clients, ``/apps`` and ``/up`` for backends, on the public
port.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from typing import Any

from autobahn.twisted.resource import WebSocketResource
from msgspec import Raw
from twisted.internet import reactor, task

from stork_components.api.push_link import PushLink
from stork_components.pusher.channel_watch import ChannelWatch
from stork_components.pusher.counting import Counting
from stork_components.pusher.hooks import Hooks
from stork_components.pusher.online_users import SignedInUsers
from stork_components.pusher.presence import ChannelPresence
from stork_components.pusher.resource import PusherHttp
from stork_components.pusher.resuming import Resuming
from stork_components.pusher.subscription_counts import SubscriptionCounts
from stork_components.pusher.verifying import Verifying
from stork_components.questions.deployment import Deployment
from stork_components.relay import Relay
from stork_crossbar import registry
from stork_crossbar.http.direct import DirectResource, Exchange, Handler
from stork_crossbar.limits.pushes_of_keys import PushesOfKeys
from stork_crossbar.pusher.protocol import PusherFactory, PusherProtocol
from stork_crossbar.pusher.socket import PusherSocket, close_with_error
from stork_crossbar.pusher.sockets import Sockets
from stork_crossbar.roles import DirectGuard, KeyHolder
from stork_node.api.pushes import ApiPush, Ids
from stork_node.clients.push_target import PushTarget
from stork_node.errors import InvalidPush
from stork_node.http.heads import Head
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.process_state import singleton
from stork_node.protocol.push import encode_push
from stork_node.pusher import codes, server_frames
from stork_node.pusher.apps import App, Apps
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.channels import channel_of
from stork_node.pusher.client_frames import ClientEvent
from stork_node.pusher.counters import PusherCounters
from stork_node.pusher.data import event_facts
from stork_node.pusher.settings import PusherSettings

__all__ = ["Health", "Pusher", "PusherBackends", "PusherClients"]

_HEALTH = b'{"health":"OK"}'


class Pusher(KeyHolder):
    """
    Holds what clients and backends of this protocol need.

    Attributes:
        sockets: the clients of this node.
        ids: for pushes without one.
        presence: the members of presence channels.
        counting: counts for the whole deployment.
    """

    Settings = PusherSettings
    settings: PusherSettings

    async def start(self) -> None:
        settings = self.settings
        self.counters = PusherCounters()
        self.ids = Ids()
        self._pushes = PushesOfKeys(settings.limits.pushes_per_second)
        table = singleton(ChannelTable)
        self.presence = ChannelPresence(partial(registry.find, Relay))
        pause = partial(task.deferLater, reactor, 0.0)
        self.counting = Counting(table, self.presence, singleton(Deployment), pause)
        users = SignedInUsers(self.presence.known)
        self.presence.watch(users.changed)
        self.presence.when_known(users.catch_up)
        self.hooks = Hooks(reactor, lambda pushes: self.link.send(pushes), self.ids.next)
        self.counts = SubscriptionCounts(reactor, table, singleton(Deployment), self._tell_count, self._hook_count)
        self._watch = ChannelWatch(table, self.presence.known, self.counts.note)
        self.presence.when_known(self._watch.catch_up)
        resuming = Resuming(reactor, table, partial(registry.find, Relay))
        push = self._push_client_event
        self.sockets = Sockets(
            reactor,
            settings,
            table,
            self.counters,
            push,
            _newest_first,
            resuming.begin,
            self.presence,
            users,
            self.hooks,
            Verifying(partial(registry.find, DirectGuard)).ask,
        )
        self.sockets.begin()
        self.counts.begin()
        self._watch.take(self.apps)
        singleton(ServedFeeds).permit(f"{app.version}.*" for app in settings.apps if app.is_enabled)
        if settings.apps:
            self.log.info("Pusher's protocol has {number} apps", number=len(settings.apps))

    def reload(self, extra: Mapping[str, Any]) -> None:
        settings = self.read_settings(extra)
        self.sockets.take(settings)
        self._watch.take(self.apps)
        self._pushes = PushesOfKeys(settings.limits.pushes_per_second)
        self.log.info("Pusher's protocol has {number} apps", number=len(settings.apps))

    @cached_property
    def link(self) -> PushLink:
        """The connection to the publish server, opened for the first push."""
        settings = self.settings
        timeout_ms = max(1, int(settings.timeout_s * 1000))
        target = PushTarget.parse(settings.push, True, timeout_ms, settings.secret or None, None, 0)
        return PushLink(reactor, target, settings.timeout_s)

    @property
    def apps(self) -> Apps:
        return self.sockets.apps

    def may_push(self, key: str, pushes: int) -> bool:
        """Whether a backend may push so many with this key now."""
        return self._pushes.may_push(key, pushes)

    def _push_client_event(self, socket: PusherSocket, number: int, event: ClientEvent, topic: str) -> None:
        id = self.ids.next()
        try:
            frame = encode_push(topic, event.event, Raw(event.data), id=id, exclude=[number], store=False)
        except InvalidPush as error:
            socket.send(server_frames.error(codes.CLIENT_EVENT_REFUSED, error.reason))
            return
        push = ApiPush(id, None, frame)
        push.done = partial(self._client_event_is_pushed, socket, event, push)
        self.link.send([push])

    def _client_event_is_pushed(self, socket: PusherSocket, event: ClientEvent, push: ApiPush) -> None:
        if push.error:
            socket.send(server_frames.error(codes.CLIENT_EVENT_REFUSED, "the event could not be passed on now"))
            return
        self.counters.client_events += 1
        connection = socket.connection
        if connection.app.tells("client_event"):
            facts = event_facts(event.event, event.data)
            told = {"channel": event.channel, "event": event.event, **facts, "socket_id": connection.socket_id}
            self.hooks.tell(connection.app, "client_event", **told)

    def _tell_count(self, topic: str, body: bytes) -> None:
        app, relay = self._app_of(topic), registry.find(Relay)
        if relay is not None and app is not None and app.counts_subscriptions:
            relay.broadcaster.tell(topic, body, ())

    def _hook_count(self, topic: str, number: int) -> None:
        app = self._app_of(topic)
        channel = channel_of(topic, app.version) if app else None
        if app is not None and channel is not None:
            self.hooks.tell(app, "subscription_count", channel=channel.name, subscription_count=number)

    def _app_of(self, topic: str) -> App | None:
        version = topic.partition(".")[0]
        return next((app for app in self.apps if app.version == version), None)


def _newest_first(topic: str) -> Iterable[tuple[bytes, str]]:
    relay = registry.find(Relay)
    return relay.reading.newest_first(topic) if relay else ()


class PusherClients(WebSocketResource):
    """``/app``: a web resource for Crossbar's ``"type": "resource"``."""

    def __init__(self, _extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(PusherFactory(_opened))


def _opened(protocol: PusherProtocol) -> None:
    pusher = registry.find(Pusher)
    if pusher is None:
        close_with_error(protocol, codes.APP_UNKNOWN, "there is no app with this key")
    else:
        pusher.sockets.opened(protocol)


class PusherBackends(PusherHttp):
    """``/apps``: a web resource for Crossbar's ``"type": "resource"``."""

    def __init__(self, _extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(lambda: registry.find(Pusher))


class Health(DirectResource):
    """``/up``: a web resource for Crossbar's ``"type": "resource"``."""

    def __init__(self, _extra: Mapping[str, Any] | None = None) -> None:
        super().__init__()

    def begin(self, _head: Head) -> Handler:
        return _tell_health


def _tell_health(_body: bytes, exchange: Exchange) -> None:
    exchange.reply(200, _HEALTH)
