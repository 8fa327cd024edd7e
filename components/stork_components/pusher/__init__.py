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
from stork_components.pusher.counting import Counting
from stork_components.pusher.presence import ChannelPresence
from stork_components.pusher.resource import PusherHttp
from stork_components.pusher.resuming import Resuming
from stork_components.questions.deployment import Deployment
from stork_components.relay import Relay
from stork_crossbar import registry
from stork_crossbar.http.direct import DirectResource, Exchange, Handler
from stork_crossbar.limits.pushes_of_keys import PushesOfKeys
from stork_crossbar.pusher.protocol import PusherFactory, PusherProtocol
from stork_crossbar.pusher.socket import PusherSocket, close_with_error
from stork_crossbar.pusher.sockets import Sockets
from stork_crossbar.roles import KeyHolder
from stork_node.api.pushes import ApiPush, Ids
from stork_node.clients.push_target import PushTarget
from stork_node.errors import InvalidPush
from stork_node.http.heads import Head
from stork_node.nodes.served_feeds import ServedFeeds
from stork_node.process_state import singleton
from stork_node.protocol.push import encode_push
from stork_node.pusher import codes, server_frames
from stork_node.pusher.apps import Apps
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.client_frames import ClientEvent
from stork_node.pusher.counters import PusherCounters
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
        pause = partial(task.deferLater, reactor, 0.0, _nothing)
        self.counting = Counting(table, self.presence, singleton(Deployment), pause)
        resuming = Resuming(reactor, table, partial(registry.find, Relay))
        push = self._push_client_event
        self.sockets = Sockets(
            reactor, settings, table, self.counters, push, _newest_first, resuming.begin, self.presence
        )
        self.sockets.begin()
        singleton(ServedFeeds).permit(f"{app.version}.*" for app in settings.apps if app.is_enabled)
        if settings.apps:
            self.log.info("Pusher's protocol has {number} apps", number=len(settings.apps))

    def reload(self, extra: Mapping[str, Any]) -> None:
        settings = self.read_settings(extra)
        self.sockets.take(settings)
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
        push.done = partial(self._client_event_is_pushed, socket, push)
        self.link.send([push])

    def _client_event_is_pushed(self, socket: PusherSocket, push: ApiPush) -> None:
        if push.error:
            socket.send(server_frames.error(codes.CLIENT_EVENT_REFUSED, "the event could not be passed on now"))
        else:
            self.counters.client_events += 1


def _nothing() -> None: ...


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
