"""All sockets of Pusher clients of this process: how they open, how long they may be silent, and how they end."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from twisted.internet import task
from twisted.logger import Logger

from stork_crossbar.connections.connection_memory import release_websocket
from stork_crossbar.internals import broadcasting
from stork_crossbar.limits import client_limits
from stork_crossbar.opening import handshake
from stork_crossbar.opening.entrance import entrance
from stork_crossbar.pusher.protocol import PusherProtocol
from stork_crossbar.pusher.socket import PusherSocket, close_with_error
from stork_node.nodes.session_marks import SessionMarks
from stork_node.process_state import singleton
from stork_node.pusher import codes, server_frames
from stork_node.pusher.apps import App, Apps, new_socket_id
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import ClientEvent, Resumption
from stork_node.pusher.counters import PusherCounters, PusherFigures
from stork_node.pusher.opening import NotOpened, choose_app
from stork_node.pusher.settings import PusherSettings

_LOOK_EVERY_S = 1.0
# Pusher clients have no jitter of their own: without it, all that were refused would come back in one second.
_HELD_S = (5.0, 15.0)


class Sockets:
    """
    Args:
        push: passes the event of a client on: its socket, the socket's number, the event and its topic.
        newest_first: returns the kept events of a topic with their positions, the newest first.
        resume: sends a client what it has missed in a channel: its socket, the socket's number, the channel, its topic,
            and what the client asks for. Then it calls ``resumed`` of the socket.
        presence: the members of presence channels (``ChannelPresence``).
        users: who has signed in, and who watches whom (``SignedInUsers``).
        hooks: tells webhooks (``Hooks``).
        ask: asks the application whether a session may read a topic: the session as WAMP has it, the topic, and what
            is called with the answer.

    Attributes:
        apps: the current ones.
        channels_of: the number of subscriptions of each address.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: PusherSettings,
        table: ChannelTable,
        counters: PusherCounters,
        push: Callable[[PusherSocket, int, ClientEvent, str], None],
        newest_first: Callable[[str], Iterable[tuple[bytes, str]]],
        resume: Callable[[PusherSocket, int, Channel, str, Resumption], None],
        presence: Any,
        users: Any,
        hooks: Any,
        ask: Callable[[Mapping[str, Any], str, Callable[[bool | None], None]], None],
    ) -> None:
        self._reactor, self._settings = reactor, settings
        self.table, self.counters, self.push, self.newest_first = table, counters, push, newest_first
        self.resume, self.presence, self.users, self.hooks, self.ask = resume, presence, users, hooks, ask
        self.apps = Apps(settings.apps)
        self.channels_of: Counter[str] = Counter()
        self.marks = singleton(SessionMarks)
        self._looking = task.LoopingCall(self._look)
        self._looking.clock = reactor

    def begin(self) -> None:
        self._looking.start(_LOOK_EVERY_S, now=False)

    def end(self) -> None:
        self._looking.stop()

    def take(self, settings: PusherSettings) -> None:
        """
        Take changed apps and limits. Clients stay connected if their app stays and has the same topics; limits count
        for new connections.
        """
        self._settings, self.apps = settings, Apps(settings.apps)
        for socket in list(self.table.sockets.values()):
            app = self.apps.by_id(socket.connection.app.id)
            if app is None:
                socket.close(codes.APP_UNKNOWN, "this app is not here any more")
            elif not app.is_enabled:
                socket.close(codes.APP_DISABLED, "this app is disabled")
            elif app.version != socket.version:
                socket.close(codes.RECONNECT, "this app has other topics now")
            else:
                socket.connection.app = app

    def now(self) -> float:
        return float(self._reactor.seconds())

    @property
    def figures(self) -> PusherFigures:
        return PusherFigures(len(self.table.sockets), len(self.table))

    # -- opening and closing -------------------------------------------------------------------------------------------

    def opened(self, protocol: PusherProtocol) -> None:
        """The WebSocket of a client is open."""
        request = bytes(protocol.http_request_data)
        connection = broadcasting.descriptor(protocol)
        if address := handshake.forwarded_address(request, protocol.peer):
            protocol.peer = address
            entrance.belongs_to(connection, address)
        app = choose_app(self.apps, protocol.http_request_uri)
        if isinstance(app, App) and not app.allows_all:
            app = self._check_origin(app, request, protocol)
        if isinstance(app, NotOpened):
            self._refuse(protocol, app.code, app.reason)
        elif self.table.unserved:
            self.hold(protocol, "this node cannot serve this protocol now")
        elif len(self.table.sockets) >= (most := self._settings.limits.connections):
            client_limits.note_other("connections", "Pusher's protocol", most)
            self.hold(protocol, "this node has as many connections as it takes")
        elif not entrance.has_place(connection, address):
            self.hold(protocol, "this node has as many connections as it takes")
        elif not client_limits.may_join(handshake.counted_address(protocol.peer)):
            self.hold(protocol, "too many clients come at once")
        else:
            self._establish(protocol, app)

    def _check_origin(self, app: App, request: bytes, protocol: PusherProtocol) -> App | NotOpened:
        for origin, host, is_secure in handshake.origins_of(request, protocol.peer, is_secure=protocol.is_secure):
            if not app.allows(origin, host, is_secure=is_secure):
                return NotOpened(codes.UNAUTHORIZED, "pages of this origin may not connect to this app")
        return app

    def _establish(self, protocol: PusherProtocol, app: App) -> None:
        number, id = new_socket_id()
        while number in self.table.sockets:
            number, id = new_socket_id()
        entrance.leave(broadcasting.descriptor(protocol))
        release_websocket(protocol, PusherProtocol)
        opening = self.marks.open()
        socket = PusherSocket(self, protocol, app, number, id, self._settings.limits, opening)
        protocol.socket = self.table.sockets[number] = socket
        self.marks.joined(number, opening)
        self.counters.opened += 1
        socket.send(server_frames.connection_established(id, int(self._settings.activity_timeout_s)))

    def _refuse(self, protocol: PusherProtocol, code: int, reason: str) -> None:
        if close_with_error(protocol, code, reason):
            self.counters.closed[str(code)] += 1

    def hold(self, protocol: PusherProtocol, reason: str) -> None:
        """Close a connection that cannot be served now, after a while."""
        held_s = random.uniform(*_HELD_S)  # noqa: S311  # only to spread them
        self._reactor.callLater(held_s, self._refuse, protocol, codes.OVER_CAPACITY, reason)

    def closed(self, number: int) -> None:
        self.table.sockets.pop(number, None)
        self.marks.left(number)

    # -- silence, and the end of the node ------------------------------------------------------------------------------

    def _look(self) -> None:
        self.presence.known()
        now, quiet_s = self.now(), self._settings.activity_timeout_s + self._settings.pong_timeout_s
        quiet = [socket for socket in self.table.sockets.values() if now - socket.heard_at > quiet_s]
        for socket in quiet:
            try:
                self._look_at(socket, now - socket.heard_at > quiet_s + self._settings.pong_timeout_s)
            except Exception:
                # The others are looked at all the same.
                self.log.failure("a silent Pusher client could not be pinged or closed")

    def _look_at(self, socket: PusherSocket, is_too_late: bool) -> None:
        if _has_unread(socket):
            return  # its pong may be among the unread bytes
        if not socket.is_pinged:
            socket.is_pinged = True
            socket.send(server_frames.PING)
        elif is_too_late:
            socket.close(codes.NO_PONG, "there was no pong in time")

    def clients(self) -> "Iterator[DrainedClient]":
        return map(DrainedClient, list(self.table.sockets.values()))


def _has_unread(socket: PusherSocket) -> bool:
    protocol = socket._transport
    return protocol.reader is not None and bool(protocol.reader.has_unread(protocol))


class DrainedClient:
    """A Pusher client as the drain sees its clients."""

    is_backend = has_calls_in_flight = False

    def __init__(self, socket: PusherSocket) -> None:
        self._socket = socket

    @property
    def is_connected(self) -> bool:
        return self._socket.is_open

    def close(self, _code: int, reason: str) -> None:
        self._socket.close(codes.RECONNECT, reason)
