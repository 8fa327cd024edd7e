"""
Listening from asyncio: ``Subscriber``, for services that follow topics as browsers do.

    async with Subscriber("ws://127.0.0.1:8080/ws", ticket=new_ticket) as stork:
        stork.subscribe("v1.orders.42", lambda event: print(event.type, event.data))
        await stork.wait_closed()
"""

import asyncio
import inspect
import json
import logging
import ssl as tls
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.effects import Deliver, Effect, Recovered, StateChanged, SubscriptionChanged, Tell
from stork_node.clients.subscribing.endings import Ending, close_ending
from stork_node.clients.subscribing.presence import Presence, PresenceChange
from stork_node.clients.subscribing.protocol import JOIN_S, SubscriberProtocol
from stork_node.clients.subscribing.stream import Event
from stork_node.clients.subscribing.subscription import Subscription
from stork_node.clients.wamp_connection import open_wamp, require_websockets
from stork_node.errors import ConnectionRefused, SubscriberEnded, SubscriptionRefused

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

log = logging.getLogger(__name__)

_CLOSE_S = 1.0


class Subscriber:
    """
    Follows topics on a node, once and in order, through lost connections, or reports that events are lost.

    It reconnects for ever, with full jitter between 0.5 and 20 s, asks for a new ticket at each try, subscribes again
    and recovers. Handlers are plain or ``async`` functions, called one at a time. While one runs, nothing is read;
    after long pauses the node closes the connection, and the subscriber comes back and recovers. An exception of a
    handler is logged, and stops nothing. It works in one event loop, and is not thread-safe.

    Args:
        url: ``ws://HOST:PORT/ws`` or ``wss://…``.
        ticket: the ticket for the application's authenticator, or a function that gets one (plain or ``async``); or
        secret: join as a backend, by WAMP-CRA (the node's ``CROSSBAR_BACKEND_SECRET``).
        authid: the user name to ask for; ``backend`` with a secret.
        on_state: called with each ``StateChanged``: ``state`` is ``connecting``, ``open``, ``waiting`` or ``closed``.
        ssl: for ``wss://``, in place of the system's certificates.

    Attributes:
        state: as above; ``session_id`` is the session's id in WAMP while it is ``open``, otherwise 0.
        authid, authrole: the node's names for this session while it is ``open``, otherwise empty.

    Raises:
        ValueError: the url is not a WebSocket's.
        ConfigError: the package ``websockets`` is missing (``stork-node[caller]``).
    """

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8080/ws",
        *,
        ticket: str | Callable[[], str | Awaitable[str]] | None = None,
        secret: str | None = None,
        authid: str | None = None,
        realm: str = "realm1",
        on_state: Callable[[StateChanged], Any] | None = None,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        if not url.startswith(("ws://", "wss://")):
            raise ValueError(f"{url!r} is not the address of a WebSocket (want ws://HOST:PORT/ws)")
        require_websockets()
        if ticket is None and secret is not None and authid is None:
            authid = "backend"
        self._url, self._ticket, self._secret, self._authid, self._ssl = url, ticket, secret, authid, ssl
        self._on_state = on_state
        self._protocol = SubscriberProtocol(realm, renewable=callable(ticket))
        self._runner: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()  # there is something to write or to do, or the wait is over
        self._opening: asyncio.Task[tuple[Credentials, ClientConnection] | None] | None = None
        self._in_handlers_s = 0.0
        self._waiting: dict[Subscription, asyncio.Future[None]] = {}

    @property
    def state(self) -> str:
        return self._protocol.state

    @property
    def session_id(self) -> int:
        return self._protocol.session_id

    @property
    def authid(self) -> str:
        return self._protocol.identity[0]

    @property
    def authrole(self) -> str:
        return self._protocol.identity[1]

    def subscribe(
        self,
        topic: str,
        handler: Callable[[Event], Any],
        *,
        since: str | None = None,
        match: str = "exact",
        on_recovered: Callable[[str, bool, str | None], Any] | None = None,
        on_state: Callable[[SubscriptionChanged], Any] | None = None,
    ) -> Subscription:
        """
        Follow a topic; before or after the connection is there.

        Args:
            handler: called with each ``Event``.
            since: a position that came with the state; later events are delivered. None: from now.
            match: ``prefix`` or ``wildcard`` for a pattern, if the feed allows it. It is recovered as a topic is. A
                node of an earlier release recovers no patterns: then ``ok`` is false.
            on_recovered: called with the topic or pattern, ``ok`` and position after each reconnect (at the first
                connection, too, with ``since``). ``ok``: all missed events are delivered. Otherwise events may be lost,
                and the next ones are later than the position: load the state again.
            on_state: called with each ``SubscriptionChanged``: ``waiting``, ``subscribing``, ``subscribed``,
                ``refused`` (final), ``closed``.

        Raises:
            InvalidTopic: no node can have this topic or pattern.
            InvalidPosition: ``since`` is no position.
        """
        subscription = Subscription(topic, match, since, handler, on_recovered, on_state)
        self.follow(subscription)
        return subscription

    def follow(self, subscription: Subscription) -> None:
        """As ``subscribe``, with a subscription that is made already."""
        self._protocol.subscribe(subscription)
        self._nudge.set()

    def presence(
        self,
        topic: str,
        on_change: Callable[[PresenceChange], Any],
        *,
        on_state: Callable[[SubscriptionChanged], Any] | None = None,
    ) -> Presence:
        """
        Follow who is online in a topic of a feed with presence; whoever may subscribe to the topic may do so.

        It makes nobody online: a user is online in a topic by ``subscribe``.

        Args:
            on_change: called with everybody first, then once for each change, also after a reconnect.
            on_state: as for ``subscribe``.

        Raises:
            InvalidTopic: no node can have this topic.
        """
        presence = Presence(topic, self._protocol, self._now, on_change, on_state)
        self.follow(presence.subscription)
        return presence

    def unsubscribe(self, subscription: Subscription | Presence) -> None:
        """End a subscription, or a presence: its handler is not called any more."""
        self._protocol.unsubscribe(subscription.subscription if isinstance(subscription, Presence) else subscription)
        self._nudge.set()

    async def wait_subscribed(self, subscription: Subscription) -> None:
        """
        Wait until the node has accepted a subscription. From then on lost events are reported.

        Raises:
            SubscriptionRefused: it was refused for good, or ended.
        """
        while subscription.state != "subscribed":
            if not subscription.wanted:
                raise SubscriptionRefused(subscription.topic, subscription.reason or subscription.state)
            change = self._waiting.setdefault(subscription, asyncio.get_running_loop().create_future())
            await asyncio.shield(change)

    async def wait_closed(self) -> None:
        """
        Wait until ``close()``. Before that, the subscriber comes back by itself.

        Raises:
            SubscriberEnded: it does not come back: refused for good, or logged out.
        """
        if self._runner is None:
            raise RuntimeError("use it as: async with Subscriber(…) as stork")
        await asyncio.shield(self._runner)
        ending = self._protocol.ending
        if ending.reason != "closed":
            raise SubscriberEnded(self._url, ending.reason, ending.uri, ending.text)

    def retry(self) -> None:
        """In the state ``waiting``: try again now."""
        self._protocol.hurry(self._now())
        self._nudge.set()

    async def close(self) -> None:
        """Send GOODBYE, and end the connection. Waits for the end, except in a handler."""
        self._protocol.close(self._now())
        self._nudge.set()
        if self._opening:
            self._opening.cancel()
        if self._runner and self._runner is not asyncio.current_task():
            await asyncio.shield(self._runner)

    async def __aenter__(self) -> Self:
        if self._runner:
            raise RuntimeError("a subscriber runs once")
        self._runner = asyncio.create_task(self._run(), name="stork-subscriber")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- tries

    def _now(self) -> float:
        # While a handler runs, nothing is read, so silence does not count.
        return time.monotonic() - self._in_handlers_s

    async def _run(self) -> None:
        while self.state != "closed":
            wait_s = self._protocol.wake_at() - self._now()
            if wait_s > 0:
                await self._pause(wait_s)
            else:
                await self._try()
            await self._tell()

    async def _pause(self, seconds: float) -> None:
        self._nudge.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            return

    async def _try(self) -> None:
        self._protocol.begin(self._now())
        await self._tell()
        self._opening = asyncio.create_task(self._open())
        await asyncio.wait([self._opening], timeout=JOIN_S)
        if not self._opening.done():
            self._end(Ending("silent", True, "", f"no connection within {JOIN_S:g} s"))
            self._opening.cancel()
        elif not self._opening.cancelled() and (opened := self._opening.result()):
            credentials, connection = opened
            try:
                await self._converse(connection, credentials)
            finally:
                await connection.close()
        self._opening = None

    async def _open(self) -> "tuple[Credentials, ClientConnection] | None":
        try:
            ticket = self._ticket() if callable(self._ticket) else self._ticket
            if inspect.isawaitable(ticket):
                ticket = await ticket
        except Exception as error:
            log.exception("no ticket")
            self._end(Ending("ticket", True, "", str(error)))
            return None
        try:
            return Credentials(self._authid, ticket, self._secret), await open_wamp(self._url, self._ssl)
        except ConnectionRefused as error:
            self._end(Ending("lost", True, "", error.cause))
            return None

    def _end(self, ending: Ending) -> None:
        self._protocol.end(ending, self._now())

    # -- one connection

    async def _converse(self, connection: "ClientConnection", credentials: Credentials) -> None:
        if self.state != "connecting":
            return
        self._protocol.connected(credentials)
        writer = asyncio.create_task(self._write(connection))
        try:
            while self.state in ("connecting", "open"):
                self._nudge.set()
                await self._tell()
                await self._read(connection)
            self._nudge.set()
            await asyncio.wait([writer], timeout=_CLOSE_S)
        finally:
            writer.cancel()

    async def _read(self, connection: "ClientConnection") -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            async with asyncio.timeout(max(0.0, self._protocol.wake_at() - self._now())):
                text = await connection.recv()
        except TimeoutError:
            self._protocol.wake(self._now())
        except ConnectionClosed as error:
            # A code that answers our own close frame says nothing of the node.
            is_theirs = error.rcvd is not None and error.rcvd_then_sent is not False
            code, text = (error.rcvd.code, error.rcvd.reason) if error.rcvd and is_theirs else (1006, "")
            self._end(close_ending(code, text))
        else:
            self._protocol.received(text, self._now())

    async def _write(self, connection: "ClientConnection") -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            while self._protocol.outbox or self.state in ("connecting", "open"):
                if self._protocol.outbox:
                    await connection.send(json.dumps(self._protocol.outbox.popleft()))
                else:
                    self._nudge.clear()
                    await self._nudge.wait()
            await connection.close()  # this ends a recv that still waits
        except ConnectionClosed:
            return

    # -- telling the application

    async def _tell(self) -> None:
        while self._protocol.effects:
            effect = self._protocol.effects.popleft()
            started = time.monotonic()
            try:
                told = self._told(effect)
                if inspect.isawaitable(told):
                    await told
            except Exception:
                log.exception("a handler failed")
            self._in_handlers_s += time.monotonic() - started

    def _told(self, effect: Effect) -> Any:
        match effect:
            case Deliver(subscription, event) if subscription.wanted:
                return subscription.handler(event)
            case Recovered(subscription, topic, ok, position) if subscription.wanted and subscription.on_recovered:
                return subscription.on_recovered(topic, ok, position)
            case SubscriptionChanged(subscription):
                if change := self._waiting.pop(subscription, None):
                    change.set_result(None)
                if subscription.on_state:
                    return subscription.on_state(effect)
                if effect.state == "refused":
                    log.error("the subscription to %s was refused: %s", subscription.topic, subscription.reason)
            case Tell(subscription, handler, value) if subscription.wanted:
                return handler(value)
            case StateChanged() if self._on_state:
                return self._on_state(effect)
        return None
